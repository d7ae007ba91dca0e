"""Files by names from outside land in the directory, and nowhere else."""

import os
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.printable import is_shown
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.landing import create, landing_places, refuse_what_is_there

PARTS = st.sampled_from(
    [
        *("..", ".", "", "a", "A", "a.csv", "A.CSV", "\u00e4", "a\u0308", "...", " ", "a.", "a "),
        *("con", "NUL.csv", "Com1", "lpt9.", "C:", "c:\\x", "..\\..\\x", "\\\\host\\share", "~"),
        *("a\0b", "\n", "\x1b[31m", "\u202e", "%2E%2E", "%", "x" * 300, "\u00e4" * 150, "\udc80"),
    ]
)
KEYS = st.lists(
    st.one_of(st.lists(PARTS, min_size=1, max_size=5).map("/".join), st.text(max_size=30)),
    min_size=1,
    max_size=8,
)


@given(KEYS)
@example(["orders/../../../x/evil.csv", "/etc/passwd", "../" * 300 + "x"])
@example(["a/b", "a", "A", "a/B/c", "A/b"])
def test_whatever_keys_say_their_files_are_inside_apart_and_possible(keys: list[str]) -> None:
    places = landing_places(keys)
    assert set(places) == set(keys)
    folded = [unicodedata.normalize("NFC", str(place)).casefold() for place in places.values()]
    assert len(set(folded)) == len(folded)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder, "in", "it")
        for key, place in places.items():
            assert not place.is_absolute()
            assert all(map(is_shown, str(place)))
            assert not any(part in ("", ".", "..") for part in place.parts)
            assert max(len(part.encode()) for part in place.parts) <= 255
            with create(directory, place) as file:
                file.write(key.encode("utf-8", "surrogatepass"))
        below = [path for path in Path(folder).rglob("*") if path.is_file()]
        assert len(below) == len(places)
        assert all(path.resolve().is_relative_to(directory.resolve()) for path in below)
        for key, place in places.items():
            assert (directory / place).read_bytes() == key.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("key", ["orders/2025-07.csv", "a", "products/Büch er (1).csv.gz"])
def test_a_plain_key_is_its_own_name(key: str) -> None:
    assert landing_places([key]) == {key: PurePosixPath(key)}


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("orders/../../x.csv", "orders/%2E%2E/%2E%2E/x.csv"),
        ("/etc/passwd", "%/etc/passwd"),
        ("c:\\x.csv", "c%3A%5Cx.csv"),
        ("orders/CON.csv", "orders/%43ON.csv"),
        ("a\0.csv", "a%00.csv"),
        ("a.", "a%2E"),
        ("\u202egpj.csv", "%E2%80%AEgpj.csv"),
    ],
)
def test_what_a_name_cannot_hold_is_written_by_its_bytes(key: str, place: str) -> None:
    assert str(landing_places([key])[key]) == place


def test_names_that_differ_only_in_case_or_are_a_folder_too_get_a_mark() -> None:
    keys = ["orders/a.csv", "orders/A.csv", "orders/a.csv/b.csv"]
    places = landing_places(keys)
    assert str(places["orders/a.csv/b.csv"]) == "orders/a.csv/b.csv"
    assert all("~" in str(places[key]) and str(places[key]).endswith(".csv") for key in keys[:2])


def write(directory: Path, place: str, pieces: Sequence[Any] = (b"x",)) -> None:
    with create(directory, PurePosixPath(place)) as file:
        for piece in pieces:
            file.write(piece)


def test_a_link_planted_in_the_directory_is_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (inside / "orders").symlink_to(outside)
    (inside / "a.csv").symlink_to(outside / "a.csv")
    for place in ("orders/a.csv", "orders/deep/a.csv", "a.csv"):
        with pytest.raises(WrongUsage, match=r"link|is there already"):
            write(inside, place)
    with pytest.raises(WrongUsage, match="is there already"):
        refuse_what_is_there([inside / "a.csv"])
    assert list(outside.iterdir()) == []


def test_the_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with create(tmp_path / "link", PurePosixPath("a.csv")) as file:
        file.write(b"x")
    assert (tmp_path / "real" / "a.csv").read_bytes() == b"x"


def test_a_file_is_never_written_over_and_half_a_file_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(WrongUsage, match="is there already"):
        write(tmp_path, "a.csv")
    with pytest.raises(TypeError):
        write(tmp_path, "b/c.csv", [b"half", None])
    assert (tmp_path / "a.csv").read_text() == "mine"
    assert os.listdir(tmp_path / "b") == []
