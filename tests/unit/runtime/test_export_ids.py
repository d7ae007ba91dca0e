"""One user erased from files of other shapes: their column gets the token, their person goes."""

import gzip
import io
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import ExportColumns
from services.runtime.privacy.erasure import export_rewrite
from services.runtime.privacy.export_ids import ExportEraser
from services.runtime.privacy.user_ids import Replacement

TOKEN = "erased-0123456789abcdef"
WANTED = Replacement("anna@x.org", TOKEN)
HEADER = "Name,Email,Billing Name,Total\n"


def columns(**changes: Any) -> ExportColumns:
    given = {
        "user_columns": ["Email"],
        "used_columns": ["Name", "Email", "Total"],
        "delimiter": ",",
        "encoding": "utf-8",
        "quoting": "doubled",
        "skip_lines": 0,
    }
    return ExportColumns(**(given | changes))


def erased(
    text: str, wanted: Replacement = WANTED, *, piece: int = 7, **changes: Any
) -> tuple[str, ExportEraser]:
    """The file in small pieces, so that lines and characters are cut."""
    read = columns(**changes)
    content = text.encode(read.encoding)
    eraser = ExportEraser(read, wanted)
    pieces = (content[at : at + piece] for at in range(0, len(content), piece))
    return b"".join(eraser.rewritten(pieces)).decode(read.encoding), eraser


def test_the_users_row_keeps_what_the_source_uses_and_loses_the_person() -> None:
    text, eraser = erased(
        f'{HEADER}#1,anna@x.org,"Berg, Anna",9.50\n#2,bob@x.org,"Stein, Bob",1.00\n'
    )
    assert text == f'{HEADER}#1,{TOKEN},,9.50\n#2,bob@x.org,"Stein, Bob",1.00\n'
    assert (eraser.found.rows, eraser.found.replaced, eraser.found.uncertain_rows) == (1, 1, 0)


def test_erasing_again_changes_nothing() -> None:
    text, eraser = erased(f"{HEADER}#1,{TOKEN},,9.50\n")
    assert text == f"{HEADER}#1,{TOKEN},,9.50\n"
    assert (eraser.found.rows, eraser.found.replaced) == (1, 0)


@pytest.mark.parametrize("said", ["ANNA@x.org", '"anna@x.org"', ' "Anna@X.org" ', '="anna@x.org"'])
def test_a_user_is_found_however_the_cell_is_written(said: str) -> None:
    text, _ = erased(f"{HEADER}#1,{said},Anna,9.50\r\n")
    assert text == f"{HEADER}#1,{TOKEN},,9.50\r\n"


def test_an_id_in_another_column_is_another_thing() -> None:
    wanted = Replacement("17850", TOKEN)
    text, eraser = erased(f"{HEADER}17850,12,,9.50\n17850,17850,,17850\n", wanted)
    assert text == f"{HEADER}17850,12,,9.50\n17850,{TOKEN},,17850\n"
    assert eraser.found.rows == 1


def test_rows_below_are_the_users_where_the_source_carries_the_user_down() -> None:
    rows = "#1,anna@x.org,Anna,9.50\n#1,,Anna,\n#2,bob@x.org,Bob,1\n#2,,Bob,\n"
    text, _ = erased(HEADER + rows, carried_down=True)
    assert text == f"{HEADER}#1,{TOKEN},,9.50\n#1,,,\n#2,bob@x.org,Bob,1\n#2,,Bob,\n"
    text, _ = erased(HEADER + rows)
    assert text == f"{HEADER}#1,{TOKEN},,9.50\n#1,,Anna,\n#2,bob@x.org,Bob,1\n#2,,Bob,\n"


def test_a_user_made_of_two_columns_is_found() -> None:
    header = "First,Last,Total\n"
    text, _ = erased(
        f"{header}Anna,Berg,1\nAnna,Stein,2\n",
        Replacement("Anna Berg", TOKEN),
        user_columns=["First", "Last"],
        used_columns=["First", "Last", "Total"],
    )
    assert text == f"{header}{TOKEN},{TOKEN},1\nAnna,Stein,2\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_every_encoding_is_read_and_written_as_it_was(encoding: str) -> None:
    wanted = Replacement("jürgen", TOKEN)
    text, eraser = erased(
        f"{HEADER}#1,jürgen,Jürgen Ö,9.50\n#2,ännä,Änn,1\n", wanted, encoding=encoding
    )
    assert text == f"{HEADER}#1,{TOKEN},,9.50\n#2,ännä,Änn,1\n"
    assert eraser.found.rows == 1


def test_line_breaks_delimiters_and_escaped_quotes_stand_inside_quotes() -> None:
    row = '#1;anna@x.org;"Berg \\"the;\nfirst\\"";9.50\n#2;b;"c";1\n'
    text, _ = erased(HEADER.replace(",", ";") + row, delimiter=";", quoting="backslash")
    assert text == HEADER.replace(",", ";") + f'#1;{TOKEN};;9.50\n#2;b;"c";1\n'


def test_lines_before_the_header_are_searched_by_their_words() -> None:
    text, eraser = erased(f"for anna@x.org only\n{HEADER}", skip_lines=1)
    assert text == f"for {TOKEN} only\n{HEADER}"
    assert eraser.found.uncertain_rows == 1


def test_a_row_that_is_cut_short_or_never_ends_is_searched_by_its_words() -> None:
    text, eraser = erased(f'{HEADER}#1,anna@x.org\n#2,"anna@x.org,Anna,9\n')
    assert text == f'{HEADER}#1,{TOKEN}\n#2,"{TOKEN},Anna,9\n'
    assert (eraser.found.rows, eraser.found.uncertain_rows) == (0, 2)


def test_where_nobody_knows_the_columns_the_id_counts_as_a_word() -> None:
    text, eraser = erased(f"{HEADER}#1,anna@x.org,Anna,9.50\n", user_columns=[], used_columns=[])
    assert text == f"{HEADER}#1,{TOKEN},Anna,9.50\n"
    assert eraser.found.uncertain_rows == 1


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_is_rewritten_only_when_the_user_is_in_it(
    tmp_path: Path, *, is_packed: bool
) -> None:
    path = tmp_path / "rewritten"

    def rewritten(text: str) -> int:
        content = gzip.compress(text.encode()) if is_packed else text.encode()

        @contextmanager
        def opened() -> Any:
            yield io.BytesIO(content)

        return export_rewrite(columns(), WANTED)(opened, path).replaced

    assert rewritten(f"{HEADER}#1,bob@x.org,Bob,1\n") == 0
    assert not path.exists()
    assert rewritten(f"{HEADER}#1,Anna@X.org,Anna,1\n") == 1
    content = gzip.decompress(path.read_bytes()) if is_packed else path.read_bytes()
    assert content.decode() == f"{HEADER}#1,{TOKEN},,1\n"
