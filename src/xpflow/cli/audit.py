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

CODES = (
    "Exit codes: 0 good or left out, 11 unpinned, 12 stale, 13 foreign, 14 missing, 15 altered, "
    "16 inconsistent."
)


@app.command(
    epilog=examples(
        "xpflow audit results/micro",
        "xpflow audit results/micro --json audit.json",
        "xpflow audit results/micro --explain paper_figures/micro/table1.csv",
        "xpflow audit results/micro --explain llada-micro,micropy-he,flow-shipped,1/4",
        "xpflow audit results/micro --replay 20",
    )
    + "\n\n"
    + CODES
)
def audit(
    path: Annotated[Path, typer.Argument(help="results/<study>, or a folder in it")],
    explain: Annotated[
        str | None,
        typer.Option(
            help="Tell where a file comes from, or a cell of the tables: MODEL,BENCHMARK,ARM,BUDGET, and "
            "with ,TASK its answers to one problem"
        ),
    ] = None,
    replay: Annotated[int, typer.Option(min=0, help="Decode and grade so many random samples again")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the choice of samples")] = 0,
    device: Annotated[str | None, typer.Option(help="Replay there, not on the study's device")] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="File for all findings")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List good files too")] = False,
    root: Annotated[Path, typer.Option(help="Folder that the study ran in")] = Path("."),
) -> None:
    """Check every file of a study against its manifest, and every manifest against what it was made from.

    good: as it was made, from what is there now. unpinned: something behind it is named by no revision or
    hash. stale: an input, the code or the settings changed since. foreign: no manifest speaks of it. missing:
    it should be there. altered: its bytes changed. inconsistent: a manifest contradicts itself or another.
    left out: a pack left it behind, and its hash is known. Logs and time tables are no artifacts.
    """
    from xpflow.artifacts.audit import worst
    from xpflow.artifacts.io import atomic_write_text
    from xpflow.evaluation.auditing import audit_study

    if explain is not None:
        raise typer.Exit(
            _tell(Path(explain), root) if Path(explain).exists() else _tell_cell(explain, path, root)
        )
    done = audit_study(path, root)
    _show(done.findings, everything)
    code = worst(done.findings)
    if json_out is not None:
        atomic_write_text(json_out, _json(done.findings, code))
    if replay and done.study is not None:
        study = done.study
        if device is not None:
            study = study.model_copy(update={"runtime": study.runtime.model_copy(update={"device": device})})
        code = max(code, _replay(study, path, replay, seed))
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


def _tell_cell(text: str, results: Path, root: Path) -> int:
    """Tell the story of a cell; the exit code is that of altered files where something does not fit."""
    from xpflow.artifacts.audit import STATUSES
    from xpflow.cli.live import harmless
    from xpflow.config import load_study
    from xpflow.evaluation.auditing import STUDY
    from xpflow.evaluation.cells import explain_cell, parse_cell, told_cell

    study = load_study(results / STUDY)
    figures = root / "paper_figures" / results.resolve().name
    found = explain_cell(study, results, figures, parse_cell(text, study), root)
    for line in told_cell(found):
        print(harmless(line))  # a model's answers are in it
    return STATUSES["altered"] if found.trouble else 0


def _tell(file: Path, root: Path) -> int:
    from xpflow.artifacts.manifest import checked
    from xpflow.artifacts.story import story, told
    from xpflow.errors import ArtifactError

    _, manifest = checked(file)
    if manifest is None:
        raise ArtifactError(f"no manifest speaks of {file}", hint="only files that a stage made have a story")
    print(file)
    for line in told(story(file, root)):
        print(line)
    return 0


def _replay(study: StudyConfig, results: Path, count: int, seed: int) -> int:
    """Replay samples and print what differs; the exit code is that of altered files where it should not."""
    from xpflow.artifacts.audit import STATUSES
    from xpflow.cli.progress import progress
    from xpflow.evaluation.replay import DeviceClass, draw_samples, replay
    from xpflow.evaluation.replay_report import report

    chosen = draw_samples(study, results, count, seed)
    done = []
    with progress("replaying") as told:
        for one in replay(study, results, chosen):
            done.append(one)
            told(len(done), len(chosen))
    fine, lines = report(done, DeviceClass.here(study))
    print("\n".join(lines))
    return 0 if fine else STATUSES["altered"]
