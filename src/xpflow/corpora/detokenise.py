r"""Running text from corpora that were published as tokens with spaces between.

The rules are those of MDLM's data (kuleshov-group/mdlm, dataloader.py), in their order, since perplexities
hang on them: a rule is a pattern and what takes its place. A slip is kept: WikiText's second rule looks for
slashes around a digit where an apostrophe and a digit were meant, and so does nothing to most texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Rule = tuple[re.Pattern[str], str]


def _plain(*pairs: tuple[str, str]) -> list[Rule]:
    """Return rules for words as they stand."""
    return [(re.compile(re.escape(old)), new.replace("\\", "\\\\")) for old, new in pairs]


def _patterns(*pairs: tuple[str, str]) -> list[Rule]:
    return [(re.compile(old), new) for old, new in pairs]


def _applied(rules: Sequence[Rule], text: str) -> str:
    for pattern, new in rules:
        text = pattern.sub(new, text)
    return text


_WIKITEXT = [
    *_plain(("s '", "s'")),
    *_patterns((r"/' [0-9]/", r"/'[0-9]/")),
    *_plain((" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", ".")),
    *_plain(*((f" {mark} ", f"{mark} ") for mark in ":;.!?,")),
    *_patterns(
        (r"\(\s*([^\)]*?)\s*\)", r"(\1)"),
        (r"\[\s*([^\]]*?)\s*\]", r"[\1]"),
        (r"{\s*([^}]*?)\s*}", r"{\1}"),
        (r"\"\s*([^\"]*?)\s*\"", r'"\1"'),
        (r"'\s*([^']*?)\s*'", r"'\1'"),
    ),
    *_plain(("= = = =", "===="), ("= = =", "==="), ("= =", "==")),
    *_plain((" ° ", "°"), (" \n", "\n"), ("\n ", "\n"), (" N ", " 1 "), (" 's", "'s")),
]
_PTB = [
    *_plain((" 's", "'s"), ("s ' ", "s' "), (" n't", "n't"), (" \n ", "\n"), ("\\/", "/")),
    *_plain(*[(" N ", " 1 ")] * 10),  # neighbours share a space: one pass misses every second of them
    *_plain(("$ 1", "$1"), ("# 1", "#1"), ("<unk>", "?")),
]
_LM1B = [
    *_plain(("http : / / ", "http://"), ("https : / / ", "https://")),
    *_patterns((r" '(\w+)", r"'\1"), (r" (\w+) \. ", r" \1. "), (r" (\w+) \.$", r" \1.")),
    *_plain((" ? ", "? ")),
    *_patterns((r" \?$", "?")),
    *_plain((" ! ", "! ")),
    *_patterns((r" \!$", "!")),
    *_plain((" , ", ", "), (" : ", ": "), (" ; ", "; "), (" / ", "/")),
    *_patterns(
        (r"\" ([^\"]+) \"", r'"\1"'),
        (r"' ([^']+) '", r"'\1'"),
        (r"\( ([^\(\)]+) \)", r"(\1)"),
        (r"\[ ([^\[\]]+) \]", r"[\1]"),
    ),
    *_plain(("$ ", "$"), ("£ ", "£")),
]


def wikitext(text: str) -> str:
    """Return WikiText's text with its spaces and @-marks in order."""
    return _applied(_WIKITEXT, text)


def ptb(text: str) -> str:
    """Return the Penn Treebank's text; N becomes 1, and an unknown word a question mark."""
    return _applied(_PTB, text)


def lm1b(text: str) -> str:
    """Return LM1B's text without the spaces around punctuation."""
    return _applied(_LM1B, text)


def lambada(text: str) -> str:
    """Return Lambada's text with straight quotes, and a line end in front."""
    return "\n" + text.replace("“", '"').replace("”", '"').strip()


def scientific_papers(text: str) -> str:
    """Return a paper's text: WikiText's rules, then LM1B's."""
    return lm1b(wikitext(text))
