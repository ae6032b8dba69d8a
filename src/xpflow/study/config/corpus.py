"""Block `text.corpus`: published texts that the runs of block `text` are trained on, at the papers' size."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from xpflow.study.config.base import Block, Scalar

NAME = r"^[a-z0-9][a-z0-9-]*$"
Steps = tuple[Annotated[int, Field(gt=0)], ...]
TRAIN = "train"  # the rows that a model is trained on, among those that are measured on


class CorpusPart(Block):
    """Documents of a corpus."""

    corpus: str = Field(description="A corpus of `xpflow corpus list`, or FILE.py:NAME")
    split: str | None = Field(default=None, description="Null: the one that is measured on")
    file: str | None = Field(
        default=None, description="Local copy of the split's files; null: the hub, at the pinned commit"
    )
    revision: str | None = Field(
        default=None, description="Commit of the hub data set, where none is pinned or another is wanted"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.file is not None and self.revision is not None:
            raise ValueError("a local `file` has no `revision`: give one of them")
        return self


class MeasuredPart(CorpusPart):
    """Documents that a bound is measured on."""

    name: str = Field(pattern=NAME, description="As tables print it, and a folder's name")
    limit: int | None = Field(default=None, gt=1, description="Only the first rows; null: all")


class CorpusText(Block):
    """Texts that models are trained on: a corpus, how it is cut into rows, the models, what is measured."""

    name: str = Field(pattern=NAME, description="What runs call it as one of their `worlds`")
    train: CorpusPart = Field(description="Documents that models are trained on")
    measured: tuple[MeasuredPart, ...] = Field(
        min_length=1, description="Documents that bounds are measured on: held out, then zero-shot"
    )
    tokenizer: str = Field(description="bert-base-uncased or gpt2")
    tokenizer_directory: str | None = Field(
        default=None, description="Local folder with its files; null: the hub, at the pinned commit"
    )
    length: int = Field(gt=2, description="Tokens of a row")
    architecture: str = Field(default="mdlm", description="Architecture of the models")
    sizes: dict[str, Scalar] = Field(
        default={},
        description="Fields of its config.json, over the published ones; words and special tokens are those "
        "of the tokenizer",
    )
    steps: Steps = Field(default=(), description="Steps in which texts are sampled; none: no texts")
    samples: int = Field(default=1024, gt=1, description="Texts for each number of steps")

    @model_validator(mode="after")
    def _names(self) -> CorpusText:
        names = [one.name for one in self.measured]
        if TRAIN in names or len(set(names)) < len(names):
            raise ValueError(f"each of `measured` has a name of its own, and none is {TRAIN!r}")
        return self

    def part(self, rows: str) -> CorpusPart:
        """Return the documents behind rows: those of `train`, or of `measured` by name (KeyError)."""
        return self.train if rows == TRAIN else {one.name: one for one in self.measured}[rows]


class CorpusBlock(Block):
    """Published texts, packed into rows of tokens, and who judges samples."""

    texts: tuple[CorpusText, ...] = Field(default=(), description="Texts; empty: no such models")
    draws: int = Field(default=1, gt=0, description="Times and masks of each row that a bound is measured on")
    batch_size: int = Field(default=8, gt=0, description="Rows of a forward in measuring and sampling")
    judge_directory: str | None = Field(
        default=None, description="Folder of the GPT-2 that judges samples; null: GPT-2 large, pinned"
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the texts, in order."""
        return tuple(text.name for text in self.texts)
