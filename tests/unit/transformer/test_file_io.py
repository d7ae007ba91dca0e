"""Files of the facts: small ones are kept in hand, large ones streamed, broken ones never sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.transformer.facts import file_io
from services.transformer.facts.file_io import SMALL_FILE_BYTES, FewRequestsFileIO, KeptFiles


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeptFiles]:
    files = KeptFiles(limit_bytes=SMALL_FILE_BYTES)
    monkeypatch.setattr(file_io, "kept_files", files)
    return files


def write(location: str, *pieces: bytes) -> None:
    with FewRequestsFileIO().new_output(location).create() as stream:
        for piece in pieces:
            stream.write(piece)


def read(location: str) -> bytes:
    with FewRequestsFileIO().new_input(location).open() as stream:
        return bytes(stream.read())


def test_what_was_written_is_read_from_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(f"file://{path}", b"one", b"two")
    assert path.read_bytes() == b"onetwo"
    path.unlink()
    assert read(f"file://{path}") == b"onetwo"
    assert len(FewRequestsFileIO().new_input(f"file://{path}")) == 6


def test_what_was_read_once_is_read_from_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"elsewhere")
    assert read(f"file://{path}") == b"elsewhere"
    path.unlink()
    assert read(f"file://{path}") == b"elsewhere"


def test_a_large_file_is_streamed_and_not_kept(tmp_path: Path, kept: KeptFiles) -> None:
    path = tmp_path / "a.parquet"
    piece = b"x" * (SMALL_FILE_BYTES // 2 + 1)
    write(f"file://{path}", piece, piece, b"end")
    assert path.read_bytes() == piece * 2 + b"end"
    assert kept.get(f"file://{path}") is None
    assert read(f"file://{path}") == piece * 2 + b"end"
    assert kept.get(f"file://{path}") is None


def test_the_least_recently_used_go_first(kept: KeptFiles) -> None:
    half = b"x" * (SMALL_FILE_BYTES // 2)
    for name in ("a", "b"):
        kept.keep(name, half)
    assert kept.get("a") is not None
    kept.keep("c", half)
    assert kept.get("b") is None
    assert kept.get("a") == kept.get("c") == half


def test_of_a_tables_metadata_the_newest_is_kept(kept: KeptFiles) -> None:
    for location in ("t/1.metadata.json", "u/1.metadata.json", "t/1.avro", "t/2.metadata.json"):
        kept.keep(location, location.encode())
    assert kept.get("t/1.metadata.json") is None
    assert kept.get("t/2.metadata.json") == b"t/2.metadata.json"
    assert kept.get("u/1.metadata.json")
    assert kept.get("t/1.avro")
    kept.keep("t/2.metadata.json", b"read again")
    assert kept.get("t/2.metadata.json") == b"read again"


def test_a_small_file_whose_writing_failed_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"

    def interrupted() -> None:
        with FewRequestsFileIO().new_output(f"file://{path}").create() as stream:
            stream.write(b"half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    assert not path.exists()


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(f"file://{tmp_path}/nothing.parquet")
