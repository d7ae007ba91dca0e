"""Holds what checkov and detect-secrets found against docs/security-exceptions.yaml.

    checkov --framework cloudformation -o json \\
      -f infra/stacks/*.yaml services/*/*.yaml > checkov.json
    detect-secrets scan contracts services infra tests docs > secrets.json
    python -m tests.security.scans --checkov checkov.json --secrets secrets.json

Both tools need packages that the project's own environment cannot hold: give them their own.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.security.exceptions import exceptions

Finding = tuple[str, str]
"""What objects (a check, a kind of secret), and to what (a resource, a file)."""


def of_checkov(report: Any) -> set[Finding]:
    """The failed checks of a report, by check id and `Type.LogicalId`."""
    reports = report if isinstance(report, list) else [report]
    unread = sum(one["summary"]["parsing_errors"] for one in reports)
    failed_checks = {
        (failed["check_id"], failed["resource"])
        for one in reports
        for failed in one["results"]["failed_checks"]
    }
    return failed_checks | ({("checkov itself", f"{unread} templates")} if unread else set())


def of_detect_secrets(report: Mapping[str, Any]) -> set[Finding]:
    """What looks like a secret, by kind and file."""
    return {(one["type"], file) for file, found in report["results"].items() for one in found}


def faults(findings: Iterable[Finding], allowed: Mapping[Finding, str]) -> list[str]:
    """Findings without an exception, and exceptions without a finding; keys may hold `*`."""
    findings = set(findings)
    covered = {
        finding: [one for one in allowed if finding[0] == one[0] and fnmatch(finding[1], one[1])]
        for finding in findings
    }
    used = {one for matching in covered.values() for one in matching}
    return [
        *(f"{what} objects to {to}" for (what, to), by in sorted(covered.items()) if not by),
        *(f"nothing objects any more: {' '.join(one)}" for one in sorted(set(allowed) - used)),
    ]


def allowed_of_checkov() -> dict[Finding, str]:
    return {
        (entry["check"], pattern): entry["reason"]
        for entry in exceptions("checkov")
        for pattern in entry["resources"]
    }


def allowed_of_detect_secrets() -> dict[Finding, str]:
    return {
        (entry["kind"], entry["files"]): entry["reason"] for entry in exceptions("detect_secrets")
    }


def main(arguments: list[str]) -> int:
    """Print every fault; 0 when there is none."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.scans")
    parser.add_argument("--checkov", type=Path)
    parser.add_argument("--secrets", type=Path)
    given = parser.parse_args(arguments)
    found = []
    if given.checkov:
        found += faults(of_checkov(json.loads(given.checkov.read_text())), allowed_of_checkov())
    if given.secrets:
        report = json.loads(given.secrets.read_text())
        found += faults(of_detect_secrets(report), allowed_of_detect_secrets())
    sys.stdout.write("".join(f"{fault}\n" for fault in found) or "every finding has its reason\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
