"""The images' base where no registry is at hand: Debian's own Python under the same name.

What it takes of the machine (package sources, certificates, settings of apt and pip) it reads at
run time; nothing of it is written here. Only the suites use it: CI and AWS build on the real one.
"""

import configparser
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.containers.debian_sources import sources_of

NAME = "python:3.11-slim"
RELEASE = "bookworm"
"""The Debian whose python3 is 3.11."""
INSIDE = ("ca-certificates", "python3", "python3-pip", "python3-venv")
CERTIFICATES = Path("/usr/local/share/ca-certificates")
FAST_FOLDER = Path("/dev/shm")  # noqa: S108 - unpacking in memory takes half the time
SETTINGS_OF_PIP = ("extra-index-url", "index-url", "proxy", "trusted-host")


def lacks() -> str | None:
    """Why the image cannot be made here, or None."""
    release = platform.freedesktop_os_release()
    if release.get("VERSION_CODENAME") != RELEASE:
        return (
            f"no registry gives {NAME}, and only Debian {RELEASE} has the packages to make it; "
            f"this is {release.get('PRETTY_NAME', 'another system')}"
        )
    return None


def make(client: Any) -> None:
    """Make the image and hand it to an engine (23 s)."""
    folder = FAST_FOLDER if FAST_FOLDER.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="base-", dir=folder) as scratch:
        settings, system = Path(scratch, "settings"), Path(scratch, "system.tar")
        _write_settings(settings)
        _bootstrap(settings, system)
        repository, tag = NAME.split(":")
        changes = ["ENV LANG=C.UTF-8", 'CMD ["python3"]']
        client.api.import_image_from_file(str(system), repository, tag, changes=changes)


def _write_settings(folder: Path) -> None:
    """The machine's own settings, laid out as they go into the image."""
    for part in ("etc/apt/apt.conf.d", "usr/local/share/ca-certificates", "usr/local/bin"):
        (folder / part).mkdir(parents=True)
    if CERTIFICATES.is_dir():
        target = folder / "usr/local/share/ca-certificates"
        shutil.copytree(CERTIFICATES, target, dirs_exist_ok=True)
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    wanted = ("Acquire::Check-", "Acquire::http", "Acquire::Retries")
    lines = [line for line in dump.splitlines() if line.startswith(wanted)]
    (folder / "etc/apt/apt.conf.d/90host").write_text("".join(f"{line}\n" for line in lines))
    pip = configparser.ConfigParser(interpolation=None)
    pip["global"] = {
        "cert": "/etc/ssl/certs/ca-certificates.crt",
        "break-system-packages": "true",
        **_settings_of_pip(),
    }
    with (folder / "etc/pip.conf").open("w") as file:
        pip.write(file)
    (folder / "usr/local/bin/python").symlink_to("/usr/bin/python3")


def _settings_of_pip() -> dict[str, str]:
    """Where pip looks for packages on this machine, if it was told."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", maxsplit=1) for line in listed.splitlines() if "=" in line)
    return {
        name.rsplit(".", maxsplit=1)[-1]: value.strip("'\"")
        for name, value in found.items()
        if name.rsplit(".", maxsplit=1)[-1] in SETTINGS_OF_PIP
    }


def _bootstrap(settings: Path, target: Path) -> None:
    subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={','.join(INSIDE)}",
            f"--aptopt={settings / 'etc/apt/apt.conf.d/90host'}",
            f"--customize-hook=cp -a {settings}/. $1/",
            "--customize-hook=chroot $1 update-ca-certificates",
            RELEASE,
            str(target),
            *map(str, sources_of(RELEASE, settings.parent)),
        ],
        check=True,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "TMPDIR": str(settings.parent),
            "LC_ALL": "C.UTF-8",
        },
        stdin=subprocess.DEVNULL,
    )
