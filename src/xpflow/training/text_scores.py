"""What `scores.json` of a run on a MicroText world holds, and how it is written and read.

All of it is in nats a sentence; `length` makes nats a token of that. What does not apply to a run is left out
of the file: None here. Nothing in it depends on the clock, so that a repeated run gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from xpflow.artifacts.io import atomic_write_text, json_line, read_text
from xpflow.errors import ArtifactError
from xpflow.masking.agreement import Agreement
from xpflow.microtext.measure import Estimate, Quality

SCORES = "scores.json"


@dataclass(frozen=True, slots=True)
class Measuring:
    """How much is measured of a run; the defaults are those of a study's block `text`.

    steps: in which sentences are sampled. samples: sentences for each of them. test: test sentences whose
    bound is measured, draws: of masks for each. curve: points of the run at which it is measured too, on the
    first `curve_test` of them; 0: its end only.
    """

    steps: tuple[int, ...] = (1, 2, 4, 8, 16)
    samples: int = 256
    test: int = 1024
    draws: int = 1
    curve: int = 4
    curve_test: int = 256


@dataclass(frozen=True, slots=True)
class BoundScores:
    """A model's bound on sentences, in nats a sentence.

    floor: mean -log p(x) by the oracle. excess: the bound above it, the sum of main, what L_main lies above
    it, and velocity, which is L_velocity.
    """

    floor: float
    excess: Estimate
    main: Estimate
    velocity: Estimate


@dataclass(frozen=True, slots=True)
class LanguageScores:
    """What the world itself is like.

    entropy: H(x). unigram_entropy: of a word, its place unknown.
    """

    entropy: Estimate
    unigram_entropy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleScores(Quality):
    """Quality of samples, and what they cost.

    excess: their mean -log p(x) less H(x), of those that are sentences; None where there are none. nfe: mean
    number of forwards of a sentence.
    """

    nfe: float
    excess: Estimate | None = None


@dataclass(frozen=True, slots=True)
class OffScores:
    """A model with a learned schedule when the schedule `constant` takes its place: bound and samples."""

    bound: BoundScores
    samples: dict[int, SampleScores]


@dataclass(frozen=True, slots=True)
class OrderExample:
    """A sentence, and the power that its places have."""

    words: tuple[str, ...]
    powers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OrderScores:
    """What a learned schedule's orders are like (Plackett-Luce with the powers as weights).

    entropy: of the order, mean over `entropy_of` sentences. most: log L!, of the uniform order. spread: mean
    of largest over smallest power. first: probability that the first place is decided first. powers: mean of
    each place. correlation: Pearson's, of the velocity of a masked place with the model's probability of its
    word, at uniform times. within: the same of power and probability, both less their means over the masked
    places of a state, so that neither time nor how much is seen counts. Both None where nothing varies.
    """

    entropy: float
    entropy_of: int
    most: float
    spread: float
    first: Estimate
    powers: tuple[float, ...]
    examples: tuple[OrderExample, ...]
    correlation: float | None = None
    within: float | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The bound's excess after some updates, and how many forwards of a batch they took."""

    update: int
    forwards: int
    excess: Estimate


@dataclass(frozen=True, slots=True)
class Forwards:
    """Forwards of a batch, in an update and in the run."""

    update: int
    run: int


@dataclass(frozen=True, slots=True)
class TextScores:
    """What the oracle says of a trained model.

    length: places of a sentence. words: of the language. parameters: numbers of the model, heads and noise
    included. bound: on the test split. domains: the same on other domains, zero-shot. oracle: the bound
    of an exact denoiser under the learned schedule, by the same draws: main is 0 but for chance, excess is
    the velocity that the order costs. samples: by steps. one_step: of masks with noise, and on the worlds
    that repeat a word.
    """

    world: str
    length: int
    words: int
    parameters: int
    forwards: Forwards
    language: LanguageScores
    bound: BoundScores
    samples: dict[int, SampleScores]
    domains: dict[str, BoundScores] = field(default_factory=dict)
    curve: tuple[CurvePoint, ...] = ()
    oracle: BoundScores | None = None
    orders: OrderScores | None = None
    order_off: OffScores | None = None
    one_step: Agreement | None = None

    def save(self, path: Path) -> None:
        """Write them as JSON with sorted keys, without what does not apply."""
        found = _adapter().dump_python(self, mode="json", exclude_none=True)
        atomic_write_text(path, json_line(found).decode())


def load_scores(path: Path) -> TextScores:
    """Return what `save` wrote.

    Raises:
        ArtifactError: the file is not there, or holds no scores.
    """
    try:
        return _adapter().validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ArtifactError(
            f"{path} holds no scores of a text run: {where}: {first['msg']}",
            hint="measure the run again: remove the file, and repeat the command",
        ) from error


@cache
def _adapter() -> TypeAdapter[TextScores]:
    return TypeAdapter(TextScores)
