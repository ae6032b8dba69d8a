"""What must hold between block `text.corpus`, the tables that it names, and the runs of block `text`."""

from __future__ import annotations

from collections.abc import Iterator

from xpflow.corpora import CORPORA
from xpflow.corpora.tokenizers import TOKENIZERS
from xpflow.errors import XpflowError, nearest
from xpflow.models.architectures import ARCHITECTURES
from xpflow.study.config.corpus import CorpusPart, CorpusText
from xpflow.study.config.references import Place, Problem, unknown, unlisted
from xpflow.study.config.text import TextBlock, TextRun

UNMASKED = "causal"  # the objective whose models read no masks


def bad_corpus(block: TextBlock) -> Iterator[Problem]:
    """Yield what is wrong with the texts of a block, and with runs on them."""
    for index, text in enumerate(block.corpus.texts):
        loc: Place = ("text", "corpus", "texts", index)
        if text.name in block.worlds:
            yield (*loc, "name"), f"{text.name!r} is one of text.worlds"
        yield from unknown((*loc, "tokenizer"), [text.tokenizer], TOKENIZERS)
        yield from unlisted((*loc, "architecture"), text.architecture, ARCHITECTURES)
        yield from _bad_parts(loc, text)
    runs = {run.name: index for index, run in enumerate(block.runs)}
    texts = {text.name: text for text in block.corpus.texts}
    for name, run in block.corpus_pairs:
        loc = ("text", "runs", runs[run.name])
        yield from unknown((*loc, "published"), run.published, block.corpus.names)
        yield from _bad_published((*loc, "published", name), run, texts[name])
        if run.objective == UNMASKED:
            yield (*loc, "objective"), f"a causal model is not measured on {name!r}"


def _bad_published(loc: Place, run: TextRun, text: CorpusText) -> Iterator[Problem]:
    """A paper's number stands beside one of ours: of rows that are measured, or of samples in some steps."""
    rows = [part.name for part in text.measured]
    samples = [f"{kind}-{steps}" for kind in ("own", "off") for steps in text.steps]
    for key, value in run.published.get(text.name, {}).items():
        yield from unknown(loc, [key], [*rows, *samples])
        if value < 1:
            yield (*loc, key), f"{value:g} is no perplexity: it is 1 at least"


def _bad_parts(loc: Place, text: CorpusText) -> Iterator[Problem]:
    yield from _bad_part((*loc, "train"), text.train, "train")
    for number, part in enumerate(text.measured):
        yield from _bad_part((*loc, "measured", number), part, None)


def _bad_part(loc: Place, part: CorpusPart, split: str | None) -> Iterator[Problem]:
    bad = list(unlisted((*loc, "corpus"), part.corpus, CORPORA))
    yield from bad
    if bad:
        return
    corpus = CORPORA[part.corpus]
    wanted = part.split or split or corpus.measured
    if wanted not in corpus.parts:
        yield (*loc, "split"), f"{part.corpus} has no split {wanted!r}; {nearest(wanted, corpus.parts)}"
    if part.file is None:
        try:
            corpus.repo(part.revision or "")
        except XpflowError as error:
            yield (*loc, "revision"), f"{error.message}: {error.hint}"
