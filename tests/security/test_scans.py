"""What scanners find is held against the exceptions, both ways."""

from tests.security.scans import faults, of_checkov, of_detect_secrets

QUEUES = ("CKV_1", "AWS::SQS::Queue.*")


def test_a_finding_with_a_reason_is_no_fault() -> None:
    assert faults([("CKV_1", "AWS::SQS::Queue.Commands")], {QUEUES: "it is encrypted"}) == []


def test_a_finding_without_a_reason_is_a_fault() -> None:
    found = [("CKV_1", "AWS::SQS::Queue.Commands"), ("CKV_2", "AWS::SQS::Queue.Commands")]
    assert faults(found, {QUEUES: "it is encrypted"}) == [
        "CKV_2 objects to AWS::SQS::Queue.Commands"
    ]
    assert faults([("CKV_1", "AWS::S3::Bucket.Data"), found[0]], {QUEUES: ""}) == [
        "CKV_1 objects to AWS::S3::Bucket.Data"
    ]


def test_an_exception_that_nothing_needs_is_a_fault() -> None:
    assert faults([], {QUEUES: "it is encrypted"}) == [
        "nothing objects any more: CKV_1 AWS::SQS::Queue.*"
    ]


def test_both_reports_are_read() -> None:
    failed = {"check_id": "CKV_1", "resource": "AWS::SQS::Queue.Commands"}
    report = {"results": {"failed_checks": [failed]}, "summary": {"parsing_errors": 0}}
    assert of_checkov([report]) == of_checkov(report) == {("CKV_1", "AWS::SQS::Queue.Commands")}
    broken = {"results": {"failed_checks": []}, "summary": {"parsing_errors": 2}}
    assert of_checkov(broken) == {("checkov itself", "2 templates")}
    secrets = {"results": {"a.py": [{"type": "Secret Keyword", "line_number": 1}]}}
    assert of_detect_secrets(secrets) == {("Secret Keyword", "a.py")}
