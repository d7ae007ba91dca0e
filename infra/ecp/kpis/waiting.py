"""`ecp waiting`: order lines whose order or product has not come, and what may be meant."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from contracts.errors import PipelineError
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, print_table
from services.runtime.wording import listed, plural

SHOWN = 50
FIRST = 3
NAMED = 10


def waiting(
    limit: Annotated[int, typer.Option("--limit", help="How many ids to show.", min=1)] = SHOWN,
    as_json: AsJson = False,
) -> None:
    """Order lines that wait for their order, and lines whose product is not known.

    A line without its order counts nowhere until the order comes; a line without its product
    counts under the category Unknown. Each missing id is shown with the file and line that first
    named it, since when it waits, and with known ids that are alike: `100` while `00100` is there
    is one order in two spellings. Correct the file that is wrong and submit it again.

    Example: `ecp waiting`
    """
    found = read(current_target())
    if as_json:
        print_json(found)
        return
    if not found["orders"] and not found["products"]:
        print_line("nothing waits: every order line has its order and its product")
        return
    _print("orders that have not come", "order", "order_id", found["orders"], limit)
    _print("products that have not come", "product", "product_id", found["products"], limit)


def read(target: Target, compared_ids: int | None = None) -> dict[str, Any]:
    """The document of `ecp waiting --json`."""
    # pyiceberg takes half a second to import, which no other command should wait for.
    from infra.ecp.kpis.facts import PublishedFacts
    from infra.ecp.kpis.waiting_lines import read_waiting

    published = PublishedFacts(target.facts, target.client("dynamodb"))
    store, objects = target.event_store, target.objects
    found = read_waiting(published, store, objects, compared_ids=compared_ids)
    return found.as_document()


def warnings(target: Target, batch_id: str) -> list[str]:
    """The first three ids that a batch's lines miss, in a sentence each; near misses come first.

    A warning beside something that is done: when the facts cannot be read, it says that instead.
    """
    from botocore.exceptions import ClientError

    from services.transformer.history.waiting import COMPARED_AT_ONCE

    try:
        found = read(target, COMPARED_AT_ONCE)
    except (PipelineError, ClientError) as error:
        return [f"what waits could not be read ({error}); `ecp waiting` tries again"]
    missing = [("order", "order_id", each) for each in found["orders"]]
    missing += [("product", "product_id", each) for each in found["products"]]
    missing = [each for each in missing if _is_of(batch_id, each[2])]
    missing.sort(key=lambda each: not each[2]["near"])
    said = [_sentence(kind, each[name], each) for kind, name, each in missing[:FIRST]]
    if more := len(missing) - len(said):
        said.append(f"and {plural(more, 'more id')} that have not come: `ecp waiting` lists them")
    return said


def unknown_products(target: Target, day: str | None = None) -> str:
    """Whose lines count as Unknown, on a day or at all, in a sentence."""
    from botocore.exceptions import ClientError

    from infra.ecp.kpis.facts import PublishedFacts
    from services.transformer.history.waiting import unknown_products as read_unknown

    try:
        published = PublishedFacts(target.facts, target.client("dynamodb"))
        found = read_unknown(published, day)
    except (PipelineError, ClientError) as error:
        return f"the products behind Unknown could not be read ({error})"
    if not found:
        return "Unknown is the category that products.csv gives here; every product is known"
    return (
        f"Unknown holds the lines of {plural(len(found), 'product')} that have not come: "
        f"{listed(found, NAMED)}. Submit these products, and the lines move to their category; "
        "`ecp waiting` shows files and lines"
    )


def _is_of(batch_id: str, missing: dict[str, Any]) -> bool:
    return any(stated["batch_id"] == batch_id for stated in missing["stated"])


def _sentence(kind: str, missing: str, found: dict[str, Any]) -> str:
    first = found["stated"][0]
    near = "".join(
        f"; {each['id']} is there and differs in {each['differs_in']}" for each in found["near"][:1]
    )
    return (
        f"{kind} {missing} has not come, {plural(found['lines'], 'line')} since {first['key']} "
        f"line {first['line']}{near}"
    )


def _print(
    title: str, heading: str, name: str, found: Sequence[dict[str, Any]], limit: int
) -> None:
    if not found:
        return
    any_source = any(each["stated"][0]["source"] for each in found)
    print_table(
        f"{len(found):,} {title}",
        (
            *(heading, "lines", "since", "file", "line"),
            *(["source"] if any_source else []),
            *("batch", "alike and there"),
        ),
        [
            (
                each[name],
                each["lines"],
                each["since"] or "-",
                each["stated"][0]["key"],
                str(each["stated"][0]["line"]),
                *([each["stated"][0]["source"]] if any_source else []),
                each["stated"][0]["batch_id"],
                "; ".join(f"{near['id']} ({near['differs_in']})" for near in each["near"]),
            )
            for each in found
        ],
        limit=limit,
        more="--limit shows more, --json has them all",
    )
