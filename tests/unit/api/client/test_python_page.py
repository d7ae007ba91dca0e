"""docs/python.md: its blocks run in order, and give what stands under them."""

from collections.abc import Iterator

import pytest

from ecommerce_pipeline import connection
from tests.support.served_api import Served, served
from tests.unit.api.client.page import PAGE, a_small_shop, blocks, run


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with served(a_small_shop().app.resolve) as found:
        monkeypatch.setattr(connection, "_found_url", lambda _: found.url)
        yield found


@pytest.mark.medium
def test_each_block_gives_what_stands_under_it(shop: Served) -> None:
    names: dict[str, object] = {}
    compared = 0
    for block in blocks(PAGE.read_text()):
        given = run(block.code, names)
        assert given == (block.shown or ""), block.code
        compared += block.shown is not None
    assert compared >= 10
    assert len(shop.asked) > compared


def test_a_block_that_gives_something_else_would_be_seen() -> None:
    [first, second] = blocks("```python\n1 + 1\n```\n\n```text\n2\n```\n\n```python\nx = 1\n```\n")
    assert (run(first.code, {}), first.shown) == ("2\n", "2\n")
    assert (run(second.code, {}), second.shown) == ("", None)
    assert run("print('a')\n3", {}) == "a\n3\n"
