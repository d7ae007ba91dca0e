"""The name that somebody meant: without regard to case and accents, else nearly spelled so."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches


def nearest(typed: str, names: Iterable[str]) -> str | None:
    """The one name that is nearest, None when there is none like it."""
    by_sound: dict[str, str] = {}
    for name in sorted(set(names), reverse=True):
        by_sound[_sound(name)] = name
    found = get_close_matches(_sound(typed), by_sound, n=1, cutoff=0.75)
    return by_sound[found[0]] if found else None


def _sound(name: str) -> str:
    apart = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(c for c in apart if not unicodedata.combining(c)).split())
