"""Keys that tell apart what differs, and a memory that stays within its limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylebridge_server.shot.cache import Cache, key

parts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(parts, parts)
def test_keys_differ_exactly_when_their_parts_do(a: object, b: object) -> None:
    assert (key(a) == key(b)) == (repr(a) == repr(b))


def test_a_key_keeps_neighbours_apart() -> None:
    assert key("ab", "c") != key("a", "bc")
    assert key(("a",), "b") != key("a", ("b",))


def test_a_key_refuses_what_has_no_lasting_text() -> None:
    with pytest.raises(TypeError, match="object"):
        key(object())


def test_the_cache_keeps_what_was_used_last_within_its_limit() -> None:
    cache = Cache(limit=30)
    made: list[str] = []

    def get(name: str, size: int = 10) -> str:
        return cache.get(name, lambda: made.append(name) or name, lambda _: size)

    for name in ("a", "b", "c", "a", "d", "a", "b"):
        assert get(name) == name
    assert made == ["a", "b", "c", "d", "b"]
    assert (cache.bytes, cache.hits, cache.misses) == (30, 2, 5)


def test_a_value_above_the_limit_is_handed_out_and_not_kept() -> None:
    cache = Cache(limit=5)
    assert cache.get("big", lambda: "x", lambda _: 6) == "x"
    assert len(cache) == 0 and cache.bytes == 0
