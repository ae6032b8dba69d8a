"""What a model writes is shown as one line per step, whatever characters it writes."""

from __future__ import annotations

from xpflow.cli.live import View


def test_a_step_is_one_line_and_sends_no_control_character() -> None:
    texts = ["a", "\n", "\r", "\x0c", "\x1b[2J", "\u2028", "\t", "b"]
    view = View(len(texts) + 1, lambda token: texts[token], len(texts), lambda view: None)
    view.tokens = [*range(len(texts)), len(texts)]
    line = view.line()
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert line.endswith("a⏎␦␦␦[2J␦␦b▒")
