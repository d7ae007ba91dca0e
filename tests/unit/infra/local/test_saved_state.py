"""One save is whole or it is not there; what it does not hold of the uploads is set aside."""

import json
import os
from pathlib import Path

import pytest

from infra.errors import LocalCloudError
from infra.local.saved_state import Save, SavedState

SAVE = Save("2026-01-01T12:00:00.000Z", at_stop=False, port=4566)
BUCKET = "000000000000/ecommerce-data-bucket"


def put(state: SavedState, key: str, text: str) -> None:
    """As MiniStack puts an object: beside, and then in its place."""
    path = state.objects / BUCKET / key
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".tmp")
    fresh.write_text(text)
    os.replace(fresh, path)


def save(state: SavedState, content: str = "{}", at: str = SAVE.saved_at) -> None:
    folder = state.begin()
    state.link_objects()
    (folder / "sqs.json").write_text(content)
    state.publish(Save(at, at_stop=False, port=4566, sizes={"sqs.json": len(content)}))


@pytest.fixture
def state(tmp_path: Path) -> SavedState:
    return SavedState(tmp_path / "state")


def test_without_a_save_there_is_none(state: SavedState) -> None:
    assert state.newest() is None


def test_the_newest_save_takes_the_place_of_the_one_before(state: SavedState) -> None:
    save(state, "first")
    save(state, "second", at="2026-01-02T12:00:00.000Z")
    newest = state.newest()
    assert newest is not None
    assert newest.saved_at == "2026-01-02T12:00:00.000Z"
    assert (state.saved / "sqs.json").read_text() == "second"
    assert sorted(os.listdir(state.root)) == ["saved"]


def test_a_save_that_was_begun_and_not_finished_leaves_the_last_one(state: SavedState) -> None:
    save(state, "whole")
    (state.begin() / "sqs.json").write_text("ha")
    assert state.newest() is not None
    assert (state.saved / "sqs.json").read_text() == "whole"


def test_one_that_was_moved_aside_and_not_replaced_is_found(state: SavedState) -> None:
    save(state)
    state.saved.rename(state.root / "before")
    assert state.newest() is not None


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": "1"}'])
def test_a_damaged_description_is_an_error_that_says_what_to_do(
    state: SavedState, content: str
) -> None:
    save(state)
    (state.saved / "saved.json").write_text(content)
    with pytest.raises(LocalCloudError, match=r"cannot be read .*`ecp up --fresh` starts empty"):
        state.newest()


def test_a_file_that_is_shorter_than_it_was_saved_is_an_error(state: SavedState) -> None:
    save(state, "{}  ")
    (state.saved / "sqs.json").write_text("{")
    with pytest.raises(LocalCloudError, match=r"sqs\.json is damaged: not the 4 bytes saved"):
        state.newest()


def test_a_save_of_a_newer_ecp_is_not_touched(state: SavedState) -> None:
    save(state)
    path = state.saved / "saved.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2, "new": 1}))
    with pytest.raises(LocalCloudError, match="saved by a newer ecp"):
        state.newest()


def test_objects_come_back_as_they_were_saved(state: SavedState, tmp_path: Path) -> None:
    put(state, "orders/a.csv", "as saved")
    put(state, "processing/b/result.json", "as saved")
    save(state)
    put(state, "processing/b/result.json", "later")
    put(state, "processing/c/result.json", "later")
    assert state.bring_back_objects(tmp_path / "recovered") == []
    found = {path.name: path.read_text() for path in state.objects.rglob("*") if path.is_file()}
    assert found == {"a.csv": "as saved", "result.json": "as saved"}
    assert not (tmp_path / "recovered").exists()


def test_uploads_after_the_save_are_set_aside_wherever_they_have_got_to(
    state: SavedState, tmp_path: Path
) -> None:
    put(state, "orders/known.csv", "known")
    put(state, "orders/replaced.csv", "old")
    save(state)
    put(state, "orders/replaced.csv", "new")
    put(state, "products/sub/late.csv", "late")
    put(state, "products/sub/late.csv.meta.json", "{}")
    archive = state.objects / "000000000000/ecommerce-archive-bucket/archive/b1/orders"
    archive.mkdir(parents=True)
    (archive / "done.csv").write_text("archived meanwhile")
    lost = state.bring_back_objects(tmp_path / "recovered")
    assert lost == ["orders/done.csv", "orders/replaced.csv", "products/sub/late.csv"]
    recovered = tmp_path / "recovered"
    assert (recovered / "orders/replaced.csv").read_text() == "new"
    assert (recovered / "orders/done.csv").read_text() == "archived meanwhile"


def test_on_another_port_its_addresses_are_those_of_the_new_one(state: SavedState) -> None:
    save(state, '{"url": "http://127.0.0.1:4566/q", "other": "10.0.0.1:4566"}')
    newest = state.newest()
    assert newest is not None
    state.move_to(14600, newest)
    moved = state.newest()
    assert moved is not None
    assert moved.port == 14600
    text = (state.saved / "sqs.json").read_text()
    assert json.loads(text) == {"url": "http://127.0.0.1:14600/q", "other": "10.0.0.1:4566"}
