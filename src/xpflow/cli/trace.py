"""`xpflow trace`: the decoding that the picture of a study shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_TRACE, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow trace --config config/micro.yaml --checkpoint aligned --problems he.jsonl --out trace.npz"
    )
)
def trace(
    problems: Annotated[Path, typer.Option(help="Problems of the study's first benchmark")],
    out: Annotated[
        Path, OUT_TRACE, typer.Option(help="Trace file, .npz or .jsonl, for `xpflow figures --trace`")
    ],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of the arm's aligned weights; default: base weights")
    ] = None,
    policy_trained: Annotated[
        Path | None, typer.Option(help="Policy, where the arm has `policy: trained`")
    ] = None,
    config: Annotated[Path, typer.Option(help="Study; block `reporting` names arm and problem")] = Path(
        "config/micro.yaml"
    ),
) -> None:
    """Decode the problem of the decoding picture with the study's first model and keep every step."""
    from xpflow.cli.recording import base_files, stage_record
    from xpflow.decoding import save_traces
    from xpflow.errors import ConfigError
    from xpflow.evaluation.decode_job import Decoder, shown_row, trace_problem
    from xpflow.problems import problems_from_file
    from xpflow.runtime.decoding import warn_unaligned
    from xpflow.runtime.models import model_source, set_up
    from xpflow.study.config import load_study

    study = load_study(config)
    arm = study.arm(shown_row(study).arm)
    for option, given, wanted in (
        ("--checkpoint", checkpoint, arm.weights != "base"),
        ("--policy-trained", policy_trained, arm.policy == "trained"),
    ):
        if (given is not None) != wanted:
            raise ConfigError(
                f"{option} {'is missing' if wanted else 'does nothing here'}: arm {arm.name!r} has "
                f"{arm.weights} weights and policy {arm.policy}",
                hint="give what the arm needs and no more, or set reporting.trace_arm",
            )
    set_up(study)
    record = stage_record(study, "trace", model=study.model_names[0])
    weights = [checkpoint] if checkpoint else base_files(study, study.model_names[0])
    record.read(problems, *weights, *filter(None, [policy_trained]))
    decoder = Decoder(
        study,
        study.model_names[0],
        problems_from_file(problems),
        checkpoint=checkpoint,
        trained_policy=policy_trained,
    )
    warn_unaligned(arm.decoder, checkpoint or model_source(study, study.model_names[0]))
    save_traces(out, [trace_problem(decoder)])
    record.write([out])
