"""Times, marks and names in few columns."""

from __future__ import annotations

import io

import pytest

from xpflow.display.words import LETTERS, SIGNS, about, clock, cut, marks_for, plain, printable, took


class Stream(io.StringIO):
    def __init__(self, encoding: str, terminal: bool) -> None:
        super().__init__()
        self.named, self.terminal = encoding, terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.named

    def isatty(self) -> bool:
        return self.terminal


def test_signs_are_for_terminals_that_have_them() -> None:
    assert marks_for(Stream("utf-8", True)) is SIGNS
    assert marks_for(Stream("utf-8", False)) is LETTERS
    assert marks_for(Stream("ascii", True)) is LETTERS
    assert marks_for(Stream("latin-1", True)) is LETTERS


def test_times() -> None:
    assert [clock(s) for s in (0, 48.4, 725, 3725)] == ["0:00", "0:48", "12:05", "1:02:05"]
    assert [took(s) for s in (0.2, 48, 712, 7500)] == ["0 s", "48 s", "11 min 52 s", "2 h 5 min"]
    assert [about(s) for s in (3, 42, 300, 7200)] == [
        "a few seconds",
        "about 40 s",
        "about 5 min",
        "about 2.0 h",
    ]


@pytest.mark.parametrize("width", range(12))
def test_a_cut_text_fits_and_keeps_both_ends(width: int) -> None:
    found = cut("abcdefghij", width)
    assert len(found) == min(width, 10)
    if width >= 3:
        assert (found[0], found[-1]) == ("a", "j")


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    assert plain("a\x1b[2Kb\rc\x9bd\u202ee") == "a?[2Kb?c?d?e"
    assert printable("a\nb\x07", Stream("utf-8", True)) == "a\nb?"
    assert printable("−✓", Stream("ascii", False)) == r"\u2212\u2713"
