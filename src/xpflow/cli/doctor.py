"""`xpflow doctor`: argument parsing and one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import examples, new_app

if TYPE_CHECKING:
    from xpflow.doctor import Capability

app = new_app()


@app.command(epilog=examples("xpflow doctor", "xpflow doctor --json"))
def doctor(
    json_: Annotated[bool, typer.Option("--json", help="Print the findings as JSON")] = False,
) -> None:
    """Say what works on this machine: torch, device, bf16, threads, jails, containers, SLURM, git.

    Ends with exit code 0 whatever it finds.
    """
    from xpflow.doctor import examine

    findings = examine()
    if json_:
        import json
        from dataclasses import asdict

        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _table(findings)


def _table(findings: list[Capability]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "state", "detail"):
        table.add_column(heading, overflow="fold")
    colours = {"ok": "green", "absent": "dim", "broken": "red"}
    last = ""
    for finding in findings:
        topic, last = ("" if finding.topic == last else finding.topic), finding.topic
        state = Text(finding.state, style=colours[finding.state])
        table.add_row(topic, finding.name, state, Text(finding.detail))
    Console().print(table)
