"""Values in a verdict."""

from __future__ import annotations

from xpflow.grading.outcome import SHOWN, shown, shown_call


def test_values_are_shown_short_and_never_raise() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown("x" * 10_000).startswith("'xxx")
    assert len(shown([["y" * 500] * 500])) <= SHOWN
    assert shown(Hostile()).startswith("<Hostile")
    assert shown(10**5000) == "<int: ValueError>"  # Python writes no decimals of that length
    assert len(shown_call("f", ("a" * 500,), {"key": 1})) <= SHOWN
    assert shown_call("f", (1, "a"), {"key": None}) == "f(1, 'a', key=None)"
