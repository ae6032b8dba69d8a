"""`xpflow lm-eval`: lm-evaluation-harness with our models and decoders."""

from __future__ import annotations

import typer

from xpflow.cli.base import examples, new_app

app = new_app()


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=examples(
        "xpflow lm-eval --model xpflow --model_args pretrained=llada-8b-instruct,decoder=threshold,budget=1/4"
        " --tasks gsm8k,humaneval --log_samples --output_path out/",
        "xpflow lm-eval ls tasks",
    ),
)
def lm_eval(context: typer.Context) -> None:
    """Run lm_eval's own command line, where `--model xpflow` is known.

    --model_args takes pretrained, decoder, budget, protocol, policy, seed, mc_num, any setting of the decoder
    and more: docs/users_packages.md. Needs the extra: pip install 'xpflow[lm-eval]'.
    """
    from xpflow.harness.run import run

    run(context.args)
