"""What grading says about one program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from xpflow.errors import DataError, nearest

VerdictName = Literal["passed", "wrong", "error", "timeout", "memory", "infrastructure"]
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One program's verdict.

    passed: every test held. wrong: a test's assertion failed. error: an exception, a crash, or an end
    before the tests were over. timeout, memory: a limit was hit. infrastructure: no verdict could be had;
    it says nothing about the program and never counts as a failure of it. `time_s` is wall time,
    `memory_mib` the peak resident size.
    """

    task_id: str
    verdict: VerdictName
    reason: str = ""
    time_s: float = 0.0
    memory_mib: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every test held."""
        return self.verdict == "passed"

    def to_row(self) -> dict[str, Any]:
        """Return the row of verdicts.jsonl."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Verdict:
        """Read a row of verdicts.jsonl; fields that are not ours are ignored.

        Raises:
            DataError: there is no task_id, or the verdict is not one of `VERDICTS`.
        """
        name = row.get("verdict")
        if name not in VERDICTS:
            raise DataError(f"no such verdict: {name!r}", hint=nearest(str(name), VERDICTS))
        if not isinstance(row.get("task_id"), str):
            raise DataError(f"verdict row without a task_id: {dict(row)!r:.100}")
        return cls(
            row["task_id"],
            name,
            str(row.get("reason", "")),
            float(row.get("time_s", 0.0)),
            float(row.get("memory_mib", 0.0)),
        )
