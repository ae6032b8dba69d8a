"""`xpflow audit`: prove or refute that a study's files are what they claim to be."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app, unused
from xpflow.cli.live import harmless
from xpflow.cli.plain import encodable, say

if TYPE_CHECKING:
    from xpflow.artifacts.audit import Finding
    from xpflow.auditing.study_audit import Audited
    from xpflow.study.config import StudyConfig

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
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="results/<study>, or a folder in it")],
    explain: Annotated[
        str | None,
        typer.Option(
            help="Say where a file comes from, or a cell of the tables: MODEL,BENCHMARK,ARM,BUDGET, and "
            "with ,TASK its answers to one problem"
        ),
    ] = None,
    replay: Annotated[int, typer.Option(min=0, help="Decode and grade so many random samples again")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of samples")] = 0,
    device: Annotated[str | None, typer.Option(help="Replay there, not on the study's device")] = None,
    json_out: Annotated[Path | None, OUT_FILE, typer.Option("--json", help="File for all findings")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List good files too")] = False,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder that the study ran in; without it, the one that the nearest folder `results` at or "
            "above PATH lies in, else the working directory"
        ),
    ] = None,
) -> None:
    """Check every file of a study against its manifest, and every manifest against what it was made from.

    good: as it was made, from what is there now. unpinned: something behind it is named by no revision or
    hash. stale: an input, the code or the settings changed since. foreign: no manifest lists it. missing:
    it should be there. altered: its bytes changed. inconsistent: a manifest contradicts itself or another.
    left out: a pack left it behind, and its hash is known. Logs and time tables are no artifacts.
    """
    from xpflow.artifacts.audit import worst
    from xpflow.artifacts.io import atomic_write_text
    from xpflow.artifacts.places import absolute, root_of
    from xpflow.auditing.study_audit import audit_study

    path = absolute(path)
    root = root_of(path) if root is None else absolute(root)
    if explain is not None and (replay or json_out is not None):
        raise typer.BadParameter(
            "it is shown by itself: leave out --replay and --json", param_hint="--explain"
        )
    if not replay:
        unused(context, "it is about --replay", "seed", "device")
    if explain is not None:
        unused(context, "--explain is shown by itself", "everything")
        file = _file(explain, root)
        raise typer.Exit(
            _explain_cell(explain, path, root) if file is None else _explain_file(file, path, root)
        )
    audited = audit_study(path, root)
    findings = [_plain(one, root) for one in audited.findings]
    _show(findings, everything)
    code = worst(findings)
    if json_out is not None:
        atomic_write_text(json_out, _json(findings, code))
    if replay:
        with chdir(root):  # a study's own paths, of weights say, are relative to where it ran
            code = max(code, _replay(_replayable(audited, device), path, root, (replay, seed)))
    raise typer.Exit(code)


def _plain(one: Finding, root: Path) -> Finding:
    """Return a finding with its path relative to the root, in characters that any file can hold."""
    from xpflow.artifacts.audit import Finding
    from xpflow.artifacts.places import relative

    path = relative(Path(one.path), root) if os.path.isabs(one.path) else one.path
    return Finding(encodable(path), one.status, encodable(one.reason))


def _show(findings: Sequence[Finding], everything: bool) -> None:
    """Print the findings as a table, and how many there are of each status."""
    from xpflow.artifacts.audit import STATUSES

    counts = Counter(one.status for one in findings)
    shown = [one for one in findings if everything or one.status != "good"]
    order = {status: number for number, status in enumerate(STATUSES)}
    for one in sorted(shown, key=lambda one: (order[one.status], one.path)):
        say(f"{one.status:<12}  {one.path}{'  ' + one.reason if one.reason else ''}")
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


def _file(text: str, root: Path) -> Path | None:
    """Return the file that a text names, from the working directory or from the root; None: it is a cell.

    It need not be there, if a manifest lists it: a pack may have left it out.
    """
    from xpflow.artifacts.places import absolute
    from xpflow.errors import ArtifactError

    for name in (absolute(Path(text)), absolute(root / text)):
        if os.path.isfile(name) or _listed(name):
            return name
        if os.path.isdir(name):
            raise ArtifactError(f"{text} is a folder", hint="name a file in it, or a cell of the tables")
    return None


def _listed(file: Path) -> bool:
    from xpflow.artifacts.manifest import manifest_of
    from xpflow.errors import ArtifactError

    try:
        return manifest_of(file) is not None
    except (ArtifactError, OSError):
        return False


def _below(line: str, root: Path) -> str:
    """Return a line with the paths in it relative to the root."""
    return line.replace(f"{root}{os.sep}", "")


def _explain_cell(text: str, path: Path, root: Path) -> int:
    """Print where a cell comes from; the exit code is that of altered files where something does not fit."""
    from xpflow.artifacts.audit import STATUSES
    from xpflow.auditing.cells import explain_cell, parse_cell, rendered_cell
    from xpflow.auditing.study_audit import study_folder
    from xpflow.study.layout import Layout

    results = study_folder(path)
    study = _study(results)
    found = explain_cell(study, results, Layout.of(results.name, root).figures, parse_cell(text, study), root)
    for line in rendered_cell(found):
        say(_below(line, root))
    return STATUSES["altered"] if found.issues else 0


def _study(results: Path) -> StudyConfig:
    """Return the study of a folder; ArtifactError in one line for whatever was done to its configuration."""
    from xpflow.errors import ArtifactError, XpflowError
    from xpflow.study.config import load_study
    from xpflow.study.layout import STUDY_FILE

    try:
        return load_study(results / STUDY_FILE)
    except Exception as error:
        said = error.message if isinstance(error, XpflowError) else f"{type(error).__name__}: {error}"
        raise ArtifactError(
            harmless(f"the study's configuration cannot be read: {said}", ""),
            hint="name results/<study>; `xpflow audit` says what it finds there",
        ) from error


def _explain_file(file: Path, path: Path, root: Path) -> int:
    """Print where a file comes from; the exit code is that of altered files where something does not fit."""
    from xpflow.artifacts.audit import STATUSES
    from xpflow.artifacts.graph import Graph
    from xpflow.artifacts.lineage import lineage_of, rendered, verdict
    from xpflow.artifacts.places import relative
    from xpflow.auditing.study_audit import study_folder

    found = lineage_of([file], Graph.of_study(study_folder(path), root))
    for line in (relative(file, root), *rendered(found.steps), *verdict(found)):
        say(_below(line, root))
    return STATUSES["altered"] if found.issues else 0


def _replayable(done: Audited, device: str | None) -> StudyConfig:
    """Return the study as it is to be replayed: on `device`, if one is given."""
    from xpflow.errors import ArtifactError

    if done.study is None:
        raise ArtifactError(
            "nothing was replayed: the study's configuration cannot be read",
            hint="the findings say what is wrong with study.yaml",
        )
    if device is None:
        return done.study
    return done.study.model_copy(update={"runtime": done.study.runtime.model_copy(update={"device": device})})


def _replay(study: StudyConfig, path: Path, root: Path, draw: tuple[int, int]) -> int:
    """Replay (how many, seed) samples and print what differs; the exit code is that of altered files where
    it should not."""
    from xpflow.artifacts.audit import STATUSES
    from xpflow.auditing.draw import DeviceClass, draw_samples
    from xpflow.auditing.replay import replay, report
    from xpflow.auditing.study_audit import study_folder
    from xpflow.cli.progress import progress

    results, here = study_folder(path), DeviceClass.here(study)
    drawn = draw_samples(study, results, *draw, below=path)
    for line in drawn.notes():
        say(_below(line, root))
    done = []
    with progress("replaying") as tell:
        for one in replay(study, results, drawn.chosen):
            done.append(one)
            tell(len(done), len(drawn.chosen))
    fine, lines = report(done, here) if done else (True, ["no sample was replayed"])
    for line in lines:
        say(_below(line, root))
    return 0 if fine and not drawn.broken else STATUSES["altered"]
