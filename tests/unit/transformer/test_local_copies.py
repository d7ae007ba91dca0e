"""Copies of data files on the worker's disk: fetched once, whole, and no more than fit."""

from io import BytesIO
from typing import Any

import pytest

from contracts.errors import Transient
from services.transformer.facts.local_copies import LocalCopies


class Bucket:
    """Files by location, and how often each was read."""

    def __init__(self, **contents: bytes) -> None:
        self._contents = {f"s3://w/{name}": content for name, content in contents.items()}
        self.reads: list[str] = []

    def new_input(self, location: str) -> Any:
        self.reads.append(location.removeprefix("s3://w/"))
        opened = BytesIO(self._contents[location])
        return type("Input", (), {"open": lambda _: opened})()


class File:
    def __init__(self, location: str, size: int) -> None:
        self.file_path, self.file_size_in_bytes = location, size


def files(*names: str, size: int = 4) -> Any:
    return [File(f"s3://w/{name}", size) for name in names]


def test_a_file_is_fetched_once() -> None:
    bucket, copies = Bucket(a=b"aaaa", b=b"bbbb"), LocalCopies()
    [first] = copies.paths_of(bucket, files("a"))
    again, other = copies.paths_of(bucket, files("a", "b"))
    assert again == first
    assert (again.read_bytes(), other.read_bytes()) == (b"aaaa", b"bbbb")
    assert bucket.reads == ["a", "b"]


def test_the_least_recently_used_go_when_more_is_held_than_fits() -> None:
    bucket, copies = Bucket(a=b"aaaa", b=b"bbbb", c=b"cccc"), LocalCopies(limit_bytes=8)
    copies.paths_of(bucket, files("a", "b"))
    [kept] = copies.paths_of(bucket, files("a"))
    copies.paths_of(bucket, files("c"))
    assert kept.exists()
    copies.paths_of(bucket, files("b"))
    assert bucket.reads == ["a", "b", "c", "b"]
    assert len(list(kept.parent.iterdir())) == 2


def test_what_is_asked_for_at_once_is_there_at_once_even_if_it_is_too_much() -> None:
    bucket, copies = Bucket(a=b"aaaa", b=b"bbbb", c=b"cccc"), LocalCopies(limit_bytes=4)
    paths = copies.paths_of(bucket, files("a", "b", "c"))
    assert all(path.exists() for path in paths)
    copies.paths_of(bucket, files("c"))
    assert [path.exists() for path in paths] == [False, False, True]


def test_what_a_session_asked_for_stays_until_it_ends() -> None:
    bucket, copies = Bucket(a=b"aaaa", b=b"bbbb", c=b"cccc"), LocalCopies(limit_bytes=4)
    with copies.kept():
        asked = [copies.paths_of(bucket, files(name))[0] for name in ("a", "b")]
        assert [path.exists() for path in asked] == [True, True]
    [last] = copies.paths_of(bucket, files("c"))
    assert [path.exists() for path in (*asked, last)] == [False, False, True]


def test_a_file_that_is_cut_short_is_no_copy() -> None:
    bucket, copies = Bucket(a=b"aa"), LocalCopies()
    with pytest.raises(Transient, match="2 bytes, its table says 4"):
        copies.paths_of(bucket, files("a"))
    bucket._contents["s3://w/a"] = b"aaaa"
    [path] = copies.paths_of(bucket, files("a"))
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_of_this_machine_is_read_where_it_lies() -> None:
    bucket = Bucket()
    [path] = LocalCopies().paths_of(bucket, [File("file:///here/a.parquet", 4)])
    assert (str(path), bucket.reads) == ("/here/a.parquet", [])
