"""Replaying samples: decoded and graded again, compared field by field with what was published, and reported.

Two processors may round differently, and one bit can decide between two tokens. So all fields that the tables
and verdicts are made of have to be equal only where device, precision, processor and torch are those that
made the samples. Elsewhere it is reported how many verdicts and NFE differ; but what rounding cannot change
has to be equal there too: the answer is the text of its tokens, and decoder and protocol are the arm's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.auditing.draw import Choice, DeviceClass, Weights, require_device
from xpflow.errors import GradingError, XpflowError
from xpflow.problems import problems_from_file
from xpflow.problems.problem import Problem
from xpflow.stats.intervals import wilson
from xpflow.study.config import StudyConfig
from xpflow.study.layout import Layout
from xpflow.study.result_files import COSTS, REVISIONS, Fields

TEXT = "text of the tokens"
# What another device class may change.
ROUNDED = frozenset({"tokens", "completion", "verdict", "mode", *COSTS, *REVISIONS})
GRADED = ("verdict", "mode", "protocol")  # of a verdict, times and reasons aside


@dataclass(frozen=True, slots=True)
class Replayed:
    """A sample that was decoded and graded again; `answer` names its problem, and its number among several.

    differs: names of the fields that are not equal, TEXT where the answer is not that of its own tokens.
    nfe, verdicts: then and now. made_on: the device class that made it, None where no manifest says so.
    failed: why it could not be replayed; nothing was compared then.
    """

    place: str
    answer: str
    differs: tuple[str, ...]
    nfe: tuple[float, float]
    verdicts: tuple[str, str]
    made_on: DeviceClass | None
    failed: str = ""

    @property
    def flipped(self) -> bool:
        """Whether the verdict is another."""
        return "verdict" in self.differs

    @property
    def wrong(self) -> bool:
        """Whether something differs that no rounding explains, or nothing could be compared."""
        return bool(self.failed or set(self.differs) - ROUNDED)


def replay(study: StudyConfig, results: Path, chosen: Sequence[Choice]) -> Iterator[Replayed]:
    """Decode and grade samples again on the study's device, one model's weights after the other.

    Raises:
        ConfigError: this machine has no such device. GradingError: an answer could not be graded.
    """
    from xpflow.runtime.answers import make_grader

    require_device(study.runtime.device)
    jobs: dict[Weights, list[Choice]] = defaultdict(list)
    for one in chosen:
        jobs[Weights.of(study, results, one.row)].append(one)
    with make_grader(study) as grader:
        for weights, choices in jobs.items():
            try:
                yield from _replayed(study, weights, choices, grader, _asked(results, weights, choices))
            except _Unloadable as error:
                yield from (_failed(one, str(error)) for one in choices)


class _Unloadable(Exception):
    """Weights or a policy that the study made cannot be used: its samples cannot be replayed, others can."""


def _replayed(
    study: StudyConfig, weights: Weights, choices: Sequence[Choice], grader: Any, asked: Sequence[Problem]
) -> Iterator[Replayed]:
    """Replay samples that share their weights: the model is loaded once."""
    from xpflow.grading.extraction.rule import extract

    decoder = _decoder(study, weights, asked)
    rule = decoder.protocol.extraction
    for one in choices:
        again = decoder.sample(one.row, *one.answer)
        answer = extract(again["completion"], one.problem, rule(one.problem.shape))
        [graded] = grader.grade([(one.problem, answer)])
        if graded.verdict == "infrastructure":
            raise GradingError(
                f"{one.folder}, {one.answer} could not be graded: {graded.reason}",
                hint="replay again; `xpflow doctor` says what works here",
            )
        now = {"verdict": graded.verdict, "mode": graded.mode, "protocol": decoder.protocol.label}
        yield Replayed(
            str(one.folder),
            str(one.answer),
            differences(one, again, now, _text(decoder, one)),
            (float(one.sample["nfe"]), float(again["nfe"])),
            (str(one.verdict["verdict"]), graded.verdict),
            one.made_on,
        )


def differences(one: Choice, again: Fields, graded: Fields, text: str | None) -> tuple[str, ...]:
    """Return the names of the fields of a sample and its verdict that are not equal to those of now.

    `text` is what the sample's own tokens read as, None where they are no tokens of the model.
    """
    counted = {name for name in (*COSTS, *REVISIONS) if name not in one.sample}  # not when it was made
    names = sorted((one.sample.keys() | again.keys()) - counted)
    found = [name for name in names if name not in one.sample or one.sample[name] != again.get(name)]
    found += [name for name in GRADED if one.verdict.get(name) != graded[name]]
    return tuple(dict.fromkeys([*found, *([TEXT] if one.sample["completion"] != text else [])]))


def _asked(results: Path, weights: Weights, choices: Sequence[Choice]) -> list[Problem]:
    """Return all problems of a benchmark: a sample is decoded in the batch that it was decoded in."""
    found = problems_from_file(Layout.of_results(results).problems(weights.benchmark))
    drawn = {one.problem.task_id: one.problem for one in choices}
    return [drawn.get(one.task_id, one) for one in found]


def _decoder(study: StudyConfig, weights: Weights, asked: Sequence[Problem]) -> Any:
    """Return the loaded decoder; _Unloadable where weights or a policy of the study are broken."""
    from xpflow.decoding.policies.load import load_policy
    from xpflow.evaluation.decode_job import Decoder

    try:
        if weights.policy is not None:
            load_policy(weights.policy)
        return Decoder(
            study,
            weights.model,
            asked,
            checkpoint=weights.checkpoint,
            trained_policy=weights.policy,
        )
    except XpflowError as error:
        raise _Unloadable(error.message) from error


def _text(decoder: Any, one: Choice) -> str | None:
    try:
        return str(decoder.prompter.answer(one.problem, one.sample["tokens"]))
    except (OverflowError, TypeError, ValueError, IndexError):
        return None


def _failed(one: Choice, why: str) -> Replayed:
    nfe, verdict = float(one.sample["nfe"]), str(one.verdict["verdict"])
    return Replayed(str(one.folder), str(one.answer), (), (nfe, nfe), (verdict, verdict), one.made_on, why)


def report(done: Sequence[Replayed], here: DeviceClass) -> tuple[bool, list[str]]:
    """Return whether what has to be equal is, and the report in lines.

    Samples without a manifest are held to be of the class that they were replayed on.
    """
    failed = [one for one in done if one.failed]
    classes: dict[DeviceClass, list[Replayed]] = defaultdict(list)
    for one in done:
        if not one.failed:
            classes[one.made_on or here].append(one)
    own = classes.pop(here, [])
    different = [one for one in own if one.differs]
    lines = [f"not replayed  {one.place} {one.answer}: {one.failed}" for one in failed]
    lines += [_difference(one) for one in different]
    if own or not (classes or failed):
        equal = len(own) - len(different)
        lines.append(f"replayed {len(own)} samples: {equal} the same in tokens, NFE, answer and verdict")
    for there, rows in classes.items():
        lines += _elsewhere(rows, there, here)
    return not different and not any(one.wrong for one in done), lines


def _elsewhere(rows: Sequence[Replayed], there: DeviceClass, here: DeviceClass) -> Iterator[str]:
    """Yield what became of the samples of another device class."""
    yield from (_difference(one) for one in rows if one.flipped or one.wrong)
    total, flipped = len(rows), sum(one.flipped for one in rows)
    spread = wilson(flipped, total).scaled(100)
    yield f"replayed {total} samples on another device class: made on {there}; here {here}"
    yield (
        f"  the same tokens in {sum('tokens' not in one.differs for one in rows)} of {total}; "
        f"verdicts flipped in {flipped} of {total}: "
        f"{100 * flipped / total:.1f} % [{spread.low:.1f}, {spread.high:.1f}]"
    )
    then, now = (sum(one.nfe[place] for one in rows) / total for place in (0, 1))
    other = [one for one in rows if "nfe" in one.differs]
    same = sum("tokens" not in one.differs for one in other)
    yield f"  another NFE in {len(other)} of {total} ({same} with the same tokens): mean {then:g} -> {now:g}"
    if same := sum(one.flipped and "completion" not in one.differs for one in rows):
        yield f"  {same} of the flipped verdicts are of the same answer: no rounding explains these"


def _difference(one: Replayed) -> str:
    said = {"nfe": "NFE {:g} -> {:g}".format(*one.nfe), "verdict": "{} -> {}".format(*one.verdicts)}
    said["completion"] = "other answer"
    words = [said.get(name, f"other {name}") for name in one.differs]
    return f"differs       {one.place} {one.answer}: {', '.join(words)}"
