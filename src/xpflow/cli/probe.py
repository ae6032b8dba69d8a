"""`xpflow probe`: probe the mixed states of flow on one kind of weights and one benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
        Path, OUT_FOLDER, typer.Option(help="Folder for validity, recovery and trajectory (.jsonl)")
    ],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of the place's trained weights; not with base weights")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FILE of each policy that is trained for the probes; may be repeated"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the study")] = 0,
    config: Annotated[Path, typer.Option(help="Study whose block `probes` to use")] = Path(
        "config/probes.yaml"
    ),
) -> None:
    """Read mixed states, follow decodes of flow with each policy, stop them, and finish them by masks.

    docs/probes.md says what each file holds. Programs run in the study's jail, as in `xpflow grade`.
    """
    from xpflow.cli.recording import base_files, stage_record
    from xpflow.errors import ConfigError
    from xpflow.probes.job import Prober, write_probes
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
    set_up(study)
    record = stage_record(study, "probe", model=job.model, place=place, benchmark=benchmark, seed=seed)
    weights = [checkpoint] if checkpoint else base_files(study, job.model)
    record.read(problems, *weights, *files.values())
    prober = Prober(study, job, problems_from_file(problems), checkpoint=checkpoint, policies=files)
    paths = write_probes(out, prober.run())
    record.write(paths, "probe")
    for path in paths:
        print(path)
