"""What the pipeline does not refuse and a sender should know: columns not read, no order returned.

Pure: words in, lines for people out.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from contracts.file_contracts import file_contract
from services.runtime.wording import listed, plural

RETURNED = "returned"
SHOWN_STATUSES = 8
SHOWN_COLUMNS = 12


def _plain(text: str) -> str:
    """Lower case, without accents and with spaces for punctuation."""
    bare = unicodedata.normalize("NFKD", text.replace("ß", "ss")).casefold()
    letters = "".join(each for each in bare if not unicodedata.combining(each))
    return " ".join(re.sub(r"[\W_]+", " ", unicodedata.normalize("NFC", letters)).split())


_CURRENCY = re.compile(
    r"currenc|waehrung|wahrung|devise|moneda|valuta|moeda|waluta|valut|mena\b|para ?birimi"
    r"|валют|货币|貨幣|币种|通貨|통화|عملة|مطבע|\bccy\b|\bcurr\b|\bcur\b|\biso ?4217\b"
)
_STEMS = """
return, refund, chargeback, charge back, sent back, money back, reimburs
retour, erstatt, zurückge, rücksend, rückgabe, terugbetaal, teruggest
retur, återbetal, tilbagebetal, tilbakebetal, palautet, palautus, hyvitet
rembours, renvoyé, devuelt, devoluc, devolvid, reembols, estorn, rimbors, restituit, rambursat
zwrot, zwróc, vrácen, vratk, visszatér, visszaküld, iade ed, επιστροφ
возврат, возвращ, повернен, върнат
退货, 退貨, 退款, 返品, 返金, 반품, 환불
مرتجع, مسترد, استرجاع, הוחזר, החזר, مرجوع, برگشت, वापस, คืนสินค้า, คืนเงิน
hoàn tiền, trả hàng, dikembalikan, pengembalian
"""
"""How "returned" and "refunded" begin, a line for each family of languages."""
_RETURN_STEMS = tuple(_plain(stem) for stem in re.split(r"[,\n]", _STEMS) if stem.strip())
_RETURN_WORDS = frozenset({"rma", "rto", "reso", "resi", "resa", "iade", "credited"})
_NEVER = re.compile(r"\b(not|non|no|never|un)[ -]?(return|refund)|nonreturn|nonrefund")


def looks_like_a_return(status: str) -> bool:
    """Whether a status says in some language or shop system that the order came back."""
    words = _plain(status)
    if _NEVER.search(words):
        return False
    return any(stem in words for stem in _RETURN_STEMS) or not _RETURN_WORDS.isdisjoint(
        words.split()
    )


def is_like_currency(column: str) -> bool:
    """Whether a column is called currency, or like it."""
    return bool(_CURRENCY.search(_plain(column)))


def about_columns(key: str, kind: str, unknown_columns: Sequence[str]) -> list[str]:
    """What is not read of a file; a currency that nobody reads is a warning of its own."""
    if not unknown_columns:
        return []
    named = listed(unknown_columns, SHOWN_COLUMNS)
    lines = [f"{key}: {plural(len(unknown_columns), 'column')} not read: {named}"]
    read = "currency" in file_contract(kind).columns
    for column in filter(is_like_currency, unknown_columns):
        advice = "; call it currency to have it checked" if read else ""
        lines.append(
            f"warning: {key}: column {column} is not read: amounts count as they stand, whatever "
            f"currency they are in{advice}"
        )
    return lines


def about_returns(statuses: Mapping[str, int]) -> list[str]:
    """That no order counts as returned, where some look as if they had come back."""
    if RETURNED in statuses:
        return []
    alike = [status for status in statuses if looks_like_a_return(status)]
    if not alike:
        return []
    rest = sorted(set(statuses) - set(alike))
    seen = [*sorted(alike, key=lambda status: -statuses[status]), *rest]
    named = listed([f"{status} ({statuses[status]:,})" for status in seen], SHOWN_STATUSES)
    return [
        "no status of these orders is `returned`, so return_rate will be 0; statuses seen: "
        f"{named}; write `returned` where an order came back"
    ]


def about_repeats(key: str, duplicates: int, contradicted: Iterable[int] = ()) -> list[str]:
    """How often a file says the same again, and where it contradicts itself."""
    lines = []
    if duplicates:
        verbs = ("repeats", "counts") if duplicates == 1 else ("repeat", "count")
        said = f"{verbs[0]} an earlier one and {verbs[1]} once"
        lines.append(f"{key}: {plural(duplicates, 'row')} {said}")
    if at := sorted(contradicted):
        one = len(at) == 1
        named = listed(at, SHOWN_COLUMNS)
        lines.append(
            f"{key}: {plural(len(at), 'row')} {'contradicts' if one else 'contradict'} a later one "
            f"of the file, which stands: {'line' if one else 'lines'} {named}"
        )
    return lines


def about_guests(key: str, guests: int) -> list[str]:
    """Orders without a customer."""
    said = f"{key}: {plural(guests, 'order')} of guests, without a user_id: "
    counts = "it counts as an order" if guests == 1 else "they count as orders"
    return [f"{said}{counts}, and as no customer"] if guests else []
