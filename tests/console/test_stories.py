"""The docs' pictures: each story in both schemes on a phone and a desk, small, and shown."""

import re

import pytest

from tests.console.screenshots import BEGINS, DOCUMENT, FOLDER, with_section
from tests.console.stories import SIZES, STORIES, variants

PICTURES = 'src(?:set)?="images/console/([^"]+)"'
MOST_BYTES, MOST_OF_ONE = 2_500_000, 160_000


def test_each_story_has_its_pictures_and_there_are_no_others() -> None:
    drawn = {one.name for one in FOLDER.iterdir()}
    assert drawn == {one.name for one in variants()}
    assert len(drawn) == len(SIZES) * 2 * sum(map(len, STORIES.values()))


def test_the_page_shows_them_all_as_the_stories_are() -> None:
    text = DOCUMENT.read_text()
    assert with_section(text) == text, "run make screenshots"
    assert sorted(re.findall(PICTURES, text)) == sorted(one.name for one in variants())


def test_pictures_are_small_and_webp() -> None:
    contents = [one.read_bytes() for one in FOLDER.iterdir()]
    assert {one[:4] + one[8:12] for one in contents} == {b"RIFFWEBP"}
    assert sum(map(len, contents)) < MOST_BYTES
    assert max(map(len, contents)) < MOST_OF_ONE


def test_a_page_without_a_place_for_them_is_refused() -> None:
    for text in ("", BEGINS):
        with pytest.raises(SystemExit, match="no place"):
            with_section(text)
