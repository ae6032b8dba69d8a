"""`xpflow match`: argument parsing and one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import examples, new_app
from xpflow.cli.inputs import as_listed

if TYPE_CHECKING:
    from xpflow.study.config import Arm, StudyConfig

app = new_app()


@app.command(
    epilog=examples(
        "xpflow match --model llada-micro",
        "xpflow match --model llada-micro --arm threshold-matched-preserving "
        "--checkpoint results/micro/llada-micro/aligned/preserving/seed0",
        "xpflow match --model llada-micro --decoder ./my_decoder.py:MINE --budget 1/2",
    )
)
def match(
    model: Annotated[str, typer.Option(help="A model of the study")],
    arm: Annotated[str | None, typer.Option(help="Arm of the study that is matched")] = None,
    decoder: Annotated[
        str | None, typer.Option(help="Or a decoder with its defaults (`xpflow decoders`)")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(callback=as_listed, help="Folder of the arm's trained weights; default: base weights"),
    ] = None,
    budget: Annotated[str, typer.Option(help="Mean NFE / N that is wanted")] = "1/4",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first problems of each benchmark")
    ] = None,
    config: Annotated[
        Path, typer.Option(callback=as_listed, help="Study; its benchmarks' validation problems are decoded")
    ] = Path("config/micro.yaml"),
) -> None:
    """Find the setting of an adaptive decoder that takes a wanted mean NFE, on validation problems.

    The last line is what to put into the arm. The thresholds of the arms `threshold-matched-*` of the shipped
    studies were found with this command.
    """
    import sys

    from xpflow.budget import parse_budget
    from xpflow.evaluation.matching import Match, arm_parts, knob_of, matched, mean_length
    from xpflow.protocols.prompter import Prompter
    from xpflow.runtime.decoding import warn_unaligned
    from xpflow.runtime.models import model_protocol, model_settings, model_source, open_model, set_up
    from xpflow.study.config import load_study

    study, wanted = load_study(config), parse_budget(budget)
    chosen = _arm(study, model, arm, decoder, checkpoint)
    knob = knob_of(chosen.decoder)
    set_up(study)
    model_settings(study, model)
    warn_unaligned(chosen.decoder, checkpoint or model_source(study, model))
    loaded, tokenizer = open_model(study, checkpoint or model_source(study, model))
    parts = list(arm_parts(study, chosen, model, Prompter(model_protocol(study, model), tokenizer), limit))

    def text(found: Match) -> str:
        return f"{found.value:.0f}" if knob.whole else f"{found.value:.5f}"

    def report(tried: Match) -> None:
        line = f"{knob.setting} {text(tried)}: mean NFE {tried.mean_nfe:.3f}"
        print(line, file=sys.stderr, flush=True)

    policy = None if chosen.policy == "none" else chosen.policy
    found = matched(loaded, chosen.decoder, parts, wanted, policy=policy, report=report)
    rows, length = sum(len(part.prompts) for part in parts), float(mean_length(parts))
    print(f"{knob.setting} {text(found)}: mean NFE {found.mean_nfe:.3f} of {length:g}, {rows} problems")
    print(f"model_settings: {{{model}: {{{knob.setting}: {text(found)}}}}}")


def _arm(
    study: StudyConfig, model: str, arm: str | None, decoder: str | None, checkpoint: Path | None
) -> Arm:
    """Return the arm to match: one of the study, or one that is only a decoder."""
    from xpflow.decoding.registry import decoders_that
    from xpflow.errors import ConfigError
    from xpflow.study.config import Arm

    if arm is not None and decoder is not None:
        raise ConfigError("give --arm or --decoder", hint="an arm brings its decoder")
    if arm is None:
        able = decoders_that("knob")
        if decoder is None and len(able) != 1:
            raise ConfigError("--decoder is missing", hint="with a knob: " + ", ".join(able))
        return Arm(name="matched", decoder=decoder or able[0])
    found = study.arm(arm)
    if found.models and model not in found.models:
        raise ConfigError(f"arm {arm!r} does not run {model!r}", hint=f"it runs {', '.join(found.models)}")
    if found.weights != "base" and checkpoint is None:
        raise ConfigError(f"arm {arm!r} has trained weights", hint="give their folder: --checkpoint")
    if found.policy == "trained":
        raise ConfigError(f"arm {arm!r} has a trained policy", hint="match it with a policy that is a file")
    return found
