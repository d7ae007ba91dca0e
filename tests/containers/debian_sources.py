"""Which package sources of this machine are those of its Debian release."""

from collections.abc import Iterator
from pathlib import Path

APT = Path("/etc/apt")


def sources_of(release: str, scratch: Path, apt: Path = APT) -> list[Path]:
    """Files for mmdebstrap that hold the release's own sources and none of a vendor's."""
    found = []
    for number, path in enumerate(sorted(_files(apt))):
        kept = [
            entry for entry in _entries(path) if _suites(path, entry) & _suites_of_release(release)
        ]
        if kept:
            copy = scratch / f"{number}{path.suffix}"
            copy.write_text(_separator(path).join(kept) + "\n")
            found.append(copy)
    return found


def _files(apt: Path) -> Iterator[Path]:
    for path in (apt / "sources.list", *(apt / "sources.list.d").glob("*")):
        if path.is_file() and path.suffix in (".list", ".sources"):
            yield path


def _separator(path: Path) -> str:
    return "\n\n" if path.suffix == ".sources" else "\n"


def _entries(path: Path) -> list[str]:
    """Stanzas of a `.sources` file, lines of a `.list`; comments are left out."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [entry for entry in "\n".join(lines).split(_separator(path)) if entry.strip()]


def _suites(path: Path, entry: str) -> set[str]:
    if path.suffix == ".sources":
        [suites] = [line for line in entry.splitlines() if line.startswith("Suites:")] or [""]
        return set(suites.split()[1:])
    words = [word for word in entry.split("]")[-1].split() if word != "deb"]
    return set(words[1:2]) if entry.startswith("deb ") else set()


def _suites_of_release(release: str) -> set[str]:
    return {release, f"{release}-updates", f"{release}-security"}
