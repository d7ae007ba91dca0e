"""Line ends of every kind and mixture; which lines they make is said in line_blocks.py."""

from collections.abc import Iterator

from tests.corpus.cases import COLUMNS, Case, Sheet

_ENDS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}


def line_end_cases() -> Iterator[Case]:
    """Whole files of one kind, then mixtures, then CRs that end nothing."""
    for name, end in _ENDS.items():
        for table in COLUMNS:
            yield Sheet(table, end=end).rows().case(f"{name} only, {table}", "line end")
        sheet = Sheet(end=end).rows().row(end="")
        yield sheet.case(f"{name}, none at the end", "line end")
        sheet = Sheet(end=end).rows(6).other("").rows(6).other("").other("")
        yield sheet.case(f"{name}, blank lines", "line end")
        sheet = Sheet(end=end).rows(6).broken("1,2", "record.fields").rows(6)
        sheet.broken('"1,u,2025-07-07,1.00,paid', "record.quote").row()
        yield (
            sheet.broken("1,\0,2025-07-07,1.00,x", "record.nul")
            .row()
            .case(f"{name}, broken rows", "line end")
        )
        yield _quoted_lines(name, end)
    yield from _mixtures()
    yield from _returns_in_a_file_of_line_feeds()


def _quoted_lines(name: str, end: str) -> Case:
    sheet = Sheet("products", end=end).rows(3)
    for inner_name, inner in _ENDS.items():
        product = f"a{inner_name}{inner}b"
        lines = 1 if inner == "\r" and end != "\r" else 2
        cells = (f"9{inner_name}", "Toys", product, "5.00")
        sheet.row(cells, f'9{inner_name},Toys,"{product}",5.00', lines=lines)
    return (
        sheet.broken('9,Toys,"a,5.00', "record.quote")
        .rows(6)
        .case(f"{name}, quoted line ends of all kinds", "line end")
    )


def _mixtures() -> Iterator[Case]:
    for first_name, first in _ENDS.items():
        for second_name, second in _ENDS.items():
            if first == second:
                continue
            name = f"{first_name} and {second_name}"
            sheet = Sheet(end=first)
            for _ in range(6):
                sheet.row(end=second).row(end=first)
            yield sheet.case(f"{name} by turns", "line end")
            sheet = Sheet(end=first).rows(6)
            for _ in range(6):
                sheet.row(end=second)
            yield sheet.case(f"{name}, half and half", "line end")
            sheet = Sheet(end=first).rows(3).row(end=second).rows(8)
            yield sheet.case(f"{name} once", "line end")
            sheet = Sheet(end=first).rows(6).broken("1,2", "record.fields", end=second)
            yield sheet.rows(8).case(f"{name} after a broken row", "line end")
            sheet = Sheet(end=first).rows(6).row(end=second)
            sheet.broken('1,"u,2025-07-07,1.00,paid', "record.quote", end=second).rows(8)
            yield sheet.case(f"{name} after a stray quote", "line end")
            sheet = Sheet(end=first)
            sheet.end = second
            yield sheet.rows().case(f"{name} after the header only", "line end")
    sheet = Sheet(end="\r\n")
    for number in range(12):
        sheet.row(end=("\n", "\r\n", "\r")[number % 3])
    yield sheet.case("all three by turns", "line end")
    yield _doubled_returns().case("CRCRLF only", "line end")
    sheet = Sheet().rows(3).row(end="\r\r\n", lines=2).rows(8)
    yield sheet.case("CRCRLF once", "line end")
    sheet = Sheet(end="\n").rows(1)
    for _ in range(6):
        sheet.other("", end="\r").row()
    yield sheet.case("LFCR", "line end")


def _doubled_returns() -> Sheet:
    sheet = Sheet(end="\r").other("", end="\r\n")
    for _ in range(12):
        sheet.row().other("", end="\r\n")
    return sheet


def _returns_in_a_file_of_line_feeds() -> Iterator[Case]:
    for end in ("\n", "\r\n"):
        name = "LF" if end == "\n" else "CRLF"
        for column, written in {
            "order_id": "1\r,u,2025-07-07,1.00,paid",
            "user_id": "1,u\rx,2025-07-07,1.00,paid",
            "order_date": "1,u,2025-07-07\r,1.00,paid",
            "total_amount": "1,u,2025-07-07,1.00\r,paid",
            "status": "1,u,2025-07-07,1.00,pa\rid",
        }.items():
            rule = f"{column}.{'format' if column in ('order_date', 'total_amount') else 'pattern'}"
            sheet = Sheet(end=end).rows(6).broken(written, rule).rows(6)
            yield sheet.case(f"CR inside {column} among {name}", "line end")
        sheet = Sheet(end=end).rows(6)
        sheet.broken("1,u,2025-07-07", "record.fields", end="\r")
        sheet.broken("2,u", "record.fields").rows(8)
        yield sheet.case(f"CR between two broken rows among {name}", "line end")
        sheet = Sheet("products", end=end).rows(6)
        sheet.broken('8,Toys,"Big', "record.quote", end="\r").row(end="\r")
        sheet.broken('9,Toys,Bear",5.00,x', "record.quote").rows(6)
        yield sheet.case(f"a healthy row between CRs and quotes among {name}", "line end")
        sheet = Sheet("products", end=end).rows(6)
        sheet.row(
            ("9", "Toys", f"a{end}b\rc{end}d", "5.00"), f'9,Toys,"a{end}b\rc{end}d",5.00', lines=3
        )
        yield sheet.rows(6).case(f"CR in a later line of a field among {name}", "line end")
        sheet = Sheet("products", end=end).rows(8)
        sheet.broken('9,Toys,"a', "record.quote").row(end="\r").row().rows(2)
        yield sheet.case(f"healthy rows split by CR after a stray quote among {name}", "line end")
