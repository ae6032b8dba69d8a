"""`xpflow report`: argument parsing and one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow report --config results/micro/study.yaml --results results/micro "
        "--out paper_figures/micro/report.html",
        "xpflow report --config config/smoke.yaml --results results/smoke --out /tmp/smoke.html --no-audit",
    )
)
def report(
    config: Annotated[Path, typer.Option(help="The study")],
    results: Annotated[Path, typer.Option(help="Its results, results/<study>")],
    out: Annotated[
        Path, OUT_FILE, typer.Option(help="The page; paper_figures/<study>/report.html is where others look")
    ],
    audit: Annotated[
        bool,
        typer.Option(
            "--audit/--no-audit", help="Hash all files of the study and say in the page what was found"
        ),
    ] = True,
) -> None:
    """Write the report of a study: one HTML page to open, click and question.

    It holds what was asked and found in prose, Tables 1 and 2, contrasts and claims (sortable, every number
    with interval and count), the figures, every problem with the programs and verdicts of any two decoders
    side by side, the study's decoding where it has a trace, and where all of it came from. The page is one
    file, asks nothing of a network, and can be mailed; open it in any browser of 2023 or later.

    It is made from result files only: samples, verdicts, logs, problems, manifests. Every cell of the study
    must be there, as for `xpflow tables`. A study whose programs do not fit into 10 MB keeps those of its
    first seed, or none, and the page says so; the verdicts are always complete.
    """
    from xpflow.artifacts.places import absolute, root_of
    from xpflow.auditing.study_audit import audit_study
    from xpflow.cli.recording import stage_record
    from xpflow.reporting.page.build import produce_report
    from xpflow.study.config import load_study
    from xpflow.study.layout import Layout
    from xpflow.study.stages import report_inputs

    study = load_study(config)
    record = stage_record(study, "report")
    record.read(*(file for file in report_inputs(study, Layout(results, out.parent)) if file.exists()))
    whole = absolute(results)
    findings = audit_study(whole, root_of(whole)).findings if audit and results.is_dir() else ()
    made = produce_report(study, results, out, findings)
    record.write([made.path])
    programs = f", with the programs of {made.programs}" if study.models else ""
    print(f"{made.path}\n{made.size / 1e6:.1f} MB{programs}")
