"""Healthy files of all kinds, and ways to spoil them: cut, double or swap bytes, quotes, lines."""

from collections.abc import Callable
from typing import TypeAlias

from hypothesis import strategies as st

from tests.corpus.cases import COLUMNS, Sheet, healthy_cells

Mutation: TypeAlias = Callable[[bytes], bytes]

TOKENS = [
    b'"', b'""', b",", b",,", b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r", b"\0", b" ", b"\t",
    b';', b"'", b"\\", b"-", b".", b"0", b"x", b'","', b'"\n"', b"\xc3\xa4", b"\xef\xbb\xbf",
    b"\xc3", b"\xff", b"order_id", b"2025-02-30", b'\n9,Toys,Bear,5.00\n', b"\x1a",
]  # fmt: skip


def _seeds() -> list[tuple[str, bytes]]:
    seeds = []
    for table, names in COLUMNS.items():
        for end in ("\n", "\r\n", "\r"):
            seeds.append((table, Sheet(table, end=end).rows(6).text.encode()))
        quoted = Sheet(table, header=",".join(f'"{name}"' for name in names[::-1]) + ',"note"')
        for number in range(5):
            cells = healthy_cells(table, number)[::-1]
            quoted.other(",".join(f'"{cell}"' for cell in cells) + ',"a ""b"",\nc"')
        seeds.append((table, quoted.text.encode()))
    products = Sheet("products").rows(2)
    products.other('9,Toys,"Big\nBe\u00e4r",5.00').other("").other(' 8 , "a,b" ,c,"7"').rows(2)
    return [*seeds, ("products", products.text.encode())]


def _at(content: bytes, share: float) -> int:
    return int(share * len(content))


def _swapped_lines(content: bytes, first: float, second: float) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    one, other = int(first * len(lines)), int(second * len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _insert(token: bytes, where: float) -> Mutation:
    return lambda text: text[: _at(text, where)] + token + text[_at(text, where) :]


def _replace(token: bytes, where: float) -> Mutation:
    return lambda text: text[: _at(text, where)] + token + text[_at(text, where) + 1 :]


def _cut(where: float, size: int) -> Mutation:
    return lambda text: text[: _at(text, where)] + text[_at(text, where) + size :]


def _double(where: float, size: int) -> Mutation:
    return lambda text: text[: _at(text, where) + size] + text[_at(text, where) :]


def _swap_lines(first: float, second: float) -> Mutation:
    return lambda text: _swapped_lines(text, first, second)


def _replace_nth(old: bytes, new: bytes, nth: int) -> Mutation:
    def mutation(text: bytes) -> bytes:
        parts = text.split(old)
        at = nth % len(parts)
        left, right = old.join(parts[:at]), old.join(parts[at:])
        return left + new + right if at else text

    return mutation


_SHARE = st.floats(0, 1, exclude_max=True)
_TOKEN = st.sampled_from(TOKENS)
MUTATIONS = st.one_of(
    st.builds(_insert, _TOKEN, _SHARE),
    st.builds(_replace, _TOKEN, _SHARE),
    st.builds(_cut, _SHARE, st.integers(1, 40)),
    st.builds(_double, _SHARE, st.integers(1, 60)),
    st.builds(_swap_lines, _SHARE, _SHARE),
    st.builds(
        _replace_nth,
        st.sampled_from([b"\n", b"\r\n", b",", b'"', b"\r"]),
        st.sampled_from([b"", b"\n", b"\r", b"\r\n", b",", b'"', b"\0", b'",', b',"']),
        st.integers(1, 40),
    ),
)


@st.composite
def spoilt_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A kind, and a file of it that was spoilt in one to five places."""
    table, content = draw(st.sampled_from(_seeds()))
    for mutation in draw(st.lists(MUTATIONS, min_size=1, max_size=5)):
        content = mutation(content)
    return table, content
