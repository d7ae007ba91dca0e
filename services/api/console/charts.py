"""Charts as SVG, drawn by pygal and stripped to shapes: no script, no style, titles to hover over.

Colours and fonts are those of `static/style.css`, so that a chart is dark where the page is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from contracts.printable import printable
from services.api.console.shown import Form, number, short_number

WIDTH, HEIGHT = 520, 230
LABELS = 6
"""So many periods are named below a chart."""
LABEL_CHARACTERS = 16
DOTTED_POINTS = 62
DOT_RADIUS, MARK_RADIUS = 2.5, 6
BAR_HEIGHT = 26


@dataclass(frozen=True)
class Series:
    """A line's name and its values, None where there is none.

    `marks`: by place, what is said of a value that is marked by a ring around it.
    """

    name: str
    values: Sequence[Any]
    marks: Mapping[int, str] = field(default_factory=dict)


def line_chart(title: str, labels: Sequence[str], lines: Sequence[Series], form: Form) -> Markup:
    """Values by period; `title` says to those who cannot see it what it shows."""
    return _drawn(
        "Line",
        title,
        labels,
        lines,
        form,
        height=HEIGHT,
        show_dots=len(labels) <= DOTTED_POINTS or any(one.marks for one in lines),
        dots_size=DOT_RADIUS if len(labels) <= DOTTED_POINTS else 0,
        show_minor_x_labels=False,
        x_labels_major_count=min(LABELS, len(labels)),
        truncate_label=-1,
    )


def bar_chart(title: str, labels: Sequence[str], bars: Series, form: Form) -> Markup:
    """A value by name, the first one on top."""
    short = [_shortened(label) for label in labels]
    return _drawn(
        "HorizontalBar",
        title,
        short[::-1],
        [Series(bars.name, list(bars.values)[::-1])],
        form,
        height=60 + BAR_HEIGHT * len(short),
        truncate_label=-1,
    )


def _shortened(label: str) -> str:
    shown = printable(label)
    return shown if len(shown) <= LABEL_CHARACTERS else f"{shown[: LABEL_CHARACTERS - 1]}\u2026"


def _drawn(
    kind: str,
    title: str,
    labels: Sequence[str],
    lines: Sequence[Series],
    form: Form,
    **settings: Any,
) -> Markup:
    import pygal  # 0.1 s, which programs need not wait for
    from pygal.style import Style

    chart = getattr(pygal, kind)(
        js=[],
        css=[],
        no_prefix=True,
        width=WIDTH,
        explicit_size=False,
        show_legend=False,
        margin=8,
        spacing=6,
        max_scale=5,
        min_scale=3,
        no_data_text="No numbers",
        allow_interruptions=True,
        include_x_axis=form is not Form.RATE,
        value_formatter=lambda value: short_number(value, form),
        style=Style(label_font_size=13, major_label_font_size=13, no_data_font_size=18),
        **settings,
    )
    chart.x_labels = [printable(label) for label in labels]
    for one in lines:
        chart.add(
            printable(one.name),
            [_value(value, form, one.marks.get(at)) for at, value in enumerate(one.values)],
        )
    root = chart.render_tree()
    _strip(root)
    root.set("role", "img")
    root.set("aria-label", printable(title))
    root.attrib.pop("id", None)
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=True))  # noqa: S704


def _value(value: Any, form: Form, mark: str | None) -> Any:
    """With what is shown when it is pointed at."""
    if value is None:
        return None
    if mark is None:
        return {"value": float(value), "formatter": lambda _: number(value, form)}
    told = f"{number(value, form)}, {mark}"
    ring = {"r": MARK_RADIUS, "class": "dot marked"}
    return {"value": float(value), "formatter": lambda _: told, "node": ring}


_PLACES = {"cx", "cy", "d", "height", "width", "x", "y"}
_LONG = re.compile(r"\d+\.\d{2,}")


def _rounded(found: re.Match[str]) -> str:
    """Tenths of a unit are enough, and a third of the bytes."""
    return f"{float(found[0]):.1f}".removesuffix(".0")


def _strip(node: ElementTree.Element) -> None:
    """Leave shapes and text; of each point's descriptions make one title."""
    for child in list(node):
        name = child.tag if isinstance(child.tag, str) else "comment"
        classes = child.get("class", "").split()
        if name in ("defs", "comment", "title") or {"text-overlay", "tooltip-overlay"} & {*classes}:
            node.remove(child)
            continue
        if name == "desc":
            node.remove(child)
            continue
        described = {one.get("class"): one.text for one in child if one.tag == "desc"}
        _strip(child)
        if "value" in described:
            title = ElementTree.SubElement(child, "title")
            title.text = ": ".join(filter(None, (described.get("x_label"), described["value"])))
        for attribute in ("style", "rx", "ry"):
            child.attrib.pop(attribute, None)
        for attribute in _PLACES & child.attrib.keys():
            child.set(attribute, _LONG.sub(_rounded, child.attrib[attribute]))
        if name == "g" and not len(child) and not (child.text or "").strip():
            node.remove(child)
