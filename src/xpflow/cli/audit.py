"""`xpflow audit`: prove or refute that a study's files are what they claim to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import examples, new_app

if TYPE_CHECKING:
    from xpflow.artifacts.audit import Finding
    from xpflow.config import StudyConfig

app = new_app()

CODES = "Exit codes: 0 good, 11 unpinned, 12 stale, 13 foreign, 14 missing, 15 altered, 16 inconsistent."


@app.command(
    epilog=examples(
        "xpflow audit results/micro",
        "xpflow audit results/micro --json audit.json",
        "xpflow audit results/micro --explain paper_figures/micro/table1.csv",
        "xpflow audit results/micro --replay 20",
    )
    + "\n\n"
    + CODES
)
def audit(
    path: Annotated[Path, typer.Argument(help="results/<study>, or a folder in it")],
    explain: Annotated[
        Path | None, typer.Option(help="Tell where one file comes from, down to the first inputs")
    ] = None,
    replay: Annotated[int, typer.Option(min=0, help="Decode and grade so many random samples again")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the choice of samples")] = 0,
    json_out: Annotated[Path | None, typer.Option("--json", help="File for all findings")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List good files too")] = False,
    root: Annotated[Path, typer.Option(help="Folder that the study ran in")] = Path("."),
) -> None:
    """Check every file of a study against its manifest, and every manifest against what it was made from.

    good: as it was made, from what is there now. unpinned: something behind it is named by no revision or
    hash. stale: an input, the code or the settings changed since. foreign: no manifest speaks of it. missing:
    it should be there. altered: its bytes changed. inconsistent: a manifest contradicts itself or another.
    Logs and time tables are no artifacts.
    """
    from xpflow.artifacts.audit import worst
    from xpflow.artifacts.io import atomic_write_text
    from xpflow.evaluation.auditing import audit_study

    if explain is not None:
        _tell(explain, root)
        return
    done = audit_study(path, root)
    _show(done.findings, everything)
    code = worst(done.findings)
    if json_out is not None:
        atomic_write_text(json_out, _json(done.findings, code))
    if replay and done.study is not None:
        code = max(code, _replay(done.study, path, replay, seed))
    raise typer.Exit(code)


def _show(findings: Sequence[Finding], everything: bool) -> None:
    """Print the findings as a table, and how many there are of each status."""
    from xpflow.artifacts.audit import STATUSES

    counts = Counter(one.status for one in findings)
    shown = [one for one in findings if everything or one.status != "good"]
    order = {status: number for number, status in enumerate(STATUSES)}
    for one in sorted(shown, key=lambda one: (order[one.status], one.path)):
        print(f"{one.status:<12}  {one.path}{'  ' + one.reason if one.reason else ''}")
    print(
        ", ".join(f"{counts[status]} {status}" for status in reversed(STATUSES) if counts[status])
        or "no files"
    )


def _json(findings: Sequence[Finding], code: int) -> str:
    import json
    from dataclasses import asdict

    counts = Counter(one.status for one in findings)
    record = {"exit_code": code, "counts": counts, "findings": [asdict(one) for one in findings]}
    return json.dumps(record, indent=1, sort_keys=True) + "\n"


def _tell(file: Path, root: Path) -> None:
    from xpflow.artifacts.manifest import checked
    from xpflow.artifacts.story import story, told
    from xpflow.errors import ArtifactError

    _, manifest = checked(file)
    if manifest is None:
        raise ArtifactError(f"no manifest speaks of {file}", hint="only files that a stage made have a story")
    print(file)
    for line in told(story(file, root)):
        print(line)


def _replay(study: StudyConfig, results: Path, count: int, seed: int) -> int:
    """Replay samples, print what differs, and return the exit code: altered where tokens or verdicts do."""
    from xpflow.artifacts.audit import STATUSES
    from xpflow.evaluation.auditing import draw_samples, replay

    done, bad = 0, 0
    for one in replay(study, results, draw_samples(results, count, seed)):
        done += 1
        then, now = one.verdicts
        if not one.same or then != now:
            bad += 1
            tokens = "same" if one.same else "other"
            print(f"differs       {one.place} {one.task_id}: {tokens} tokens, {then} -> {now}")
    print(f"replayed {done} samples: {done - bad} the same, token for token and in their verdicts")
    return STATUSES["altered"] if bad else 0
