"""`xpflow config`: show, check and describe the configuration of a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import OUT_FILE, OUT_FOLDER, examples, new_app

if TYPE_CHECKING:
    from xpflow.display.checklist import Checklist
    from xpflow.study.config import StudyConfig

app = new_app("Show, check or describe a study's configuration.")

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A study's file; default: config/micro.yaml")
]
Out = Annotated[Path | None, OUT_FILE, typer.Option(help="Write here instead of printing")]

DEFAULT_FILE = Path("config/micro.yaml")


@app.command(epilog=examples("xpflow config show config/smoke.yaml", "xpflow config show --default"))
def show(
    file: File = None,
    default: Annotated[
        bool, typer.Option("--default", help="The defaults, commented, instead of FILE")
    ] = False,
    out: Out = None,
) -> None:
    """Print a study, defaults filled in."""
    from xpflow.cli.checks import check_apart
    from xpflow.errors import ConfigError
    from xpflow.study.config import StudyConfig, load_study
    from xpflow.study.config.render import render_plain, render_yaml

    if default:
        if file is not None:
            raise ConfigError("give FILE or --default", hint="the defaults are those of every file")
        _emit(render_yaml(StudyConfig()), out)
        return
    file = file or DEFAULT_FILE
    if out is not None:
        check_apart("--out", out, "FILE", file, "reads")
    _emit(render_plain(load_study(file)), out)
    if out is not None:
        from xpflow.artifacts.record import Record

        record = Record("config")
        record.read(file)
        record.write([out])


@app.command(epilog=examples("xpflow config check config/*.yaml"))
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Studies' files")],
    decoders: Annotated[
        bool,
        typer.Option(help="Check arms, stages, runs and prompts by their plug-ins' own rules (loads torch)"),
    ] = True,
    machine: Annotated[
        bool,
        typer.Option(help="Check that this machine has what the study needs: jail, device, room on disk"),
    ] = True,
    times: Annotated[
        Path | None,
        OUT_FOLDER,
        typer.Option(help="The study's folder of times: the last run's are read, what to expect is written"),
    ] = None,
) -> None:
    """Validate files, by all that a stage would ask of them, and say how large they are.

    The workflow does this before its first job. Every check is made, whatever fails on the way. What is still
    to be fetched is checked later, and named.
    """
    import sys
    from functools import partial

    from xpflow.display.checklist import Checklist
    from xpflow.study.config import load_study
    from xpflow.study.corpus import corpus_jobs
    from xpflow.study.rows import expand
    from xpflow.study.text import text_jobs

    for file in files:
        listed = Checklist(sys.stderr)
        config = load_study(file)
        listed.ask("configuration", partial(_whole, config, str(file)))
        if decoders:
            _by_their_own_rules(listed, config, str(file), machine)
        if machine:
            listed.ask("time", partial(_expected, config, times, write=not listed.failed))
        listed.require(str(file))
        arms, rows, texts = len(config.arms), len(expand(config)), len(text_jobs(config))
        parts = [f"{arms} arms, {rows} decodings"] if config.models else []
        parts += [f"{texts} text runs"] if texts else []
        parts += [f"{runs} runs on corpora"] if (runs := len(corpus_jobs(config))) else []
        print(f"{file}: valid; study {config.study.name}, {', '.join(parts)}")


def _whole(config: StudyConfig, source: str) -> str:
    from xpflow.study.check import check_study

    check_study(config, source)
    return "every key is known, every value in its range"


def _by_their_own_rules(listed: Checklist, config: StudyConfig, source: str, machine: bool) -> None:
    """Check what takes torch; notes what there is to say of a valid study."""
    from xpflow.errors import ConfigError
    from xpflow.runtime.check import check_data, machine_checks
    from xpflow.study.check import check_arms, check_runs, check_stages, notes_of
    from xpflow.training.corpus_check import check_corpora
    from xpflow.training.pretrain_check import check_pretrain
    from xpflow.training.text_check import check_texts

    def needed() -> float:
        from xpflow.planning.plan import disk_bytes

        try:
            return disk_bytes(config)
        except ConfigError:
            return 0.0  # an arm that the check of decoders tells of

    def decoders() -> str:
        check_arms(config, source)
        return f"settings, schedules and policies of {len(config.arms)} arms"

    def stages() -> str:
        check_stages(config, source)
        return "self-alignment data and policies can be made as asked"

    def runs() -> str:
        check_runs(config, source)
        check_pretrain(config, source)
        return f"objectives and models of {len(config.training.runs)} runs agree"

    def prompts() -> str:
        listed.notes += [*notes_of(config), *check_data(config, source, machine)]
        return f"fit the positions of {', '.join(config.model_names)}"

    for name, check in machine_checks(config, source, needed) if machine else ():
        listed.ask(name, check)  # first: the jail is what a new machine lacks most often

    def texts() -> str:
        return f"{check_texts(config, source)} runs on small languages can take their first update"

    def corpora() -> str:
        return f"models and objectives of {check_corpora(config, source, machine)} runs on corpora agree"

    asked: list[tuple[str, Callable[[], str]]] = []
    if config.models:
        asked += [("decoders", decoders), ("stages", stages), ("training", runs), ("prompts", prompts)]
    if config.text.pairs:
        asked.append(("text", texts))
    if config.text.corpus_pairs:
        asked.append(("corpora", corpora))
    for name, check in asked:
        listed.ask(name, check)


def _expected(config: StudyConfig, folder: Path | None, write: bool) -> str:
    """Return how long a study should take; `write` it for the display of progress, too."""
    from xpflow.display.forecast import write_expected
    from xpflow.display.words import about
    from xpflow.planning.clock import times_of, ways_of
    from xpflow.study.layout import Layout

    times, ways = times_of(config, folder or Layout.of(config.study.name).times), ways_of(config)
    if write and folder is not None:
        write_expected(folder, times.seconds)
    if config.runtime.device != "cpu" and not times.measured:
        return "not known on this GPU: `xpflow plan` has estimates"
    return f"{about(times.study(ways))} for the whole study, {times.source}"


@app.command(epilog=examples("xpflow config schema --out config/schema.json"))
def schema(out: Out = None) -> None:
    """Print the JSON schema of a study."""
    from xpflow.study.config.render import render_schema

    _emit(render_schema(), out)


def _emit(text: str, out: Path | None) -> None:
    if out is None:
        print(text, end="")
        return
    from xpflow.artifacts.io import atomic_write_text

    atomic_write_text(out, text)
