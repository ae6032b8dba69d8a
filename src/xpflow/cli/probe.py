"""`xpflow probe`: probe mixed states of flow, and how noisy text is read, on one kind of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow probe --config config/probes.yaml --place aligned --benchmark micropy-he --problems he.jsonl "
        "--out probes",
        "xpflow probe --config config/probes.yaml --place paper --checkpoint trained --benchmark micropy-he "
        "--problems he.jsonl --policy quarter=policy.safetensors --out probes",
    )
)
def probe(
    place: Annotated[str, typer.Option(help="A place of the study's block `probes`: model and weights")],
    benchmark: Annotated[str, typer.Option(help="A benchmark that the block names")],
    problems: Annotated[Path, typer.Option(help="Its problems, as `xpflow problems export` writes them")],
    out: Annotated[
        Path,
        OUT_FOLDER,
        typer.Option(help="Folder for validity, recovery, trajectory, noisy and noisy_choice (.jsonl)"),
    ],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of the place's trained weights; not with base weights")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FILE of each policy that is trained for the probes; may be repeated"),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Validation problems, on which readers of noisy text choose; with such only"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the study")] = 0,
    config: Annotated[Path, typer.Option(help="Study whose block `probes` to use")] = Path(
        "config/probes.yaml"
    ),
) -> None:
    """Read mixed states, follow decodes of flow with each policy, stop them, and finish them by masks.

    And, where the study asks for it, read answers with wrong tokens in them. docs/probes.md says what each
    file holds. Programs run in the study's jail, as in `xpflow grade`.
    """
    from xpflow.cli.recording import base_files, stage_record
    from xpflow.errors import ConfigError
    from xpflow.probes.job import Prober, write_probes
    from xpflow.probes.noisy import NoisyProber
    from xpflow.problems import problems_from_file
    from xpflow.runtime.models import set_up
    from xpflow.study.config import load_study
    from xpflow.study.probes import find_probe

    study = load_study(config)
    job = find_probe(study, place, benchmark, seed)
    if (checkpoint is None) != (job.weights == "base"):
        raise ConfigError(
            f"place {place} has {job.weights} weights; {'no' if checkpoint is None else 'a'} --checkpoint",
            hint="give --checkpoint FOLDER with a training run's weights, and with those only",
        )
    files = {}
    for one in policy or []:
        name, equals, file = one.partition("=")
        if not equals:
            raise ConfigError(f"--policy {one!r} names no file", hint="write it as NAME=FILE")
        files[name] = Path(file)
    if (validation is None) == bool(study.probes.noisy.readers):
        raise ConfigError(
            f"study {study.study.name} has {'' if validation is None else 'no '}readers of noisy text",
            hint="give --validation FILE where block probes.noisy has readers, and there only",
        )
    set_up(study)
    record = stage_record(study, "probe", model=job.model, place=place, benchmark=benchmark, seed=seed)
    weights = [checkpoint] if checkpoint else base_files(study, job.model)
    record.read(problems, *weights, *files.values(), *([validation] if validation else []))
    asked = problems_from_file(problems)
    rows: dict[str, list[dict[str, Any]]] = {}
    if study.probes.mixed:
        rows |= Prober(study, job, asked, checkpoint=checkpoint, policies=files).run()
    if validation is not None:
        rows |= NoisyProber(study, job, checkpoint).run(asked, problems_from_file(validation))
    paths = write_probes(out, rows)
    record.write(paths, "probe")
    for path in paths:
        print(path)
