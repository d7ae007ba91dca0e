"""A pseudonym is a keyed hash under each key of the chain; one more key needs no id."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import PipelineError
from services.runtime.privacy.pseudonyms import Keyed, check_of, keys_of, pseudonym_of, secret_of

KEYS = st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=4)


def plain(user_id: str, keys: list[bytes]) -> str:
    text = user_id
    for key in keys:
        text = hmac.new(key, text.encode(), "sha256").hexdigest()
    return text


@given(user_id=st.text(min_size=1, max_size=64), keys=KEYS)
def test_a_chain_is_hmac_of_hmac(user_id: str, keys: list[bytes]) -> None:
    assert pseudonym_of(user_id, keys) == plain(user_id, keys)


@given(user_id=st.text(min_size=1, max_size=64), keys=KEYS, key=st.binary(min_size=1, max_size=9))
def test_the_next_generation_is_made_of_the_one_before(
    user_id: str, keys: list[bytes], key: bytes
) -> None:
    before = pseudonym_of(user_id, keys)
    assert Keyed(key).of(before.encode()) == pseudonym_of(user_id, [*keys, key])


def test_the_check_tells_chains_apart_and_follows_as_every_pseudonym_does() -> None:
    assert check_of([b"k1"]) != check_of([b"k2"])
    assert check_of([b"k1", b"k2"]) != check_of([b"k1", b"k3"])
    assert check_of([b"k1", b"k2"]) == Keyed(b"k2").of(check_of([b"k1"]).encode())


def test_a_secret_is_a_key_or_a_chain_of_keys() -> None:
    assert keys_of("one key") == (b"one key",)
    assert keys_of('{"keys": ["k1", "k2"]}') == (b"k1", b"k2")
    assert keys_of(secret_of((b"k1", b"k2"))) == (b"k1", b"k2")


def test_a_generated_key_may_begin_with_a_brace() -> None:
    assert keys_of("{Q_Cvz0Ac!9W-M") == (b"{Q_Cvz0Ac!9W-M",)


@pytest.mark.parametrize(
    "secret", ['{"keys": []}', '{"keys": ["k1"', "{}", '{"keys": [1]}', '{"keys": [""]}']
)
def test_a_secret_without_keys_is_refused(secret: str) -> None:
    with pytest.raises(PipelineError, match="must be a key or"):
        keys_of(secret)
