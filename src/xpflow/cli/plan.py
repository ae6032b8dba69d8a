"""`xpflow plan`: argument parsing and one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow plan config/paper.yaml",
        "xpflow plan config/paper.yaml --gpu a100-80 --gpus 4,8 --mfu 0.4",
        "xpflow plan config/paper.yaml --prompt-tokens mbpp=180 --cells",
        "xpflow plan config/paper.yaml --json > plan.json",
    )
)
def plan(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A study's file")],
    gpu: Annotated[
        list[str] | None, typer.Option(help="h200, h100 or a100-80; repeat it. Default: h200 and a100-80")
    ] = None,
    gpus: Annotated[str, typer.Option(metavar="N,N,...", help="Numbers of GPUs, a column each")] = "1,2,4,8",
    mfu: Annotated[float, typer.Option(help="Sustained share of the dense arithmetic rate")] = 0.5,
    bandwidth_share: Annotated[float, typer.Option(help="Sustained share of the memory bandwidth")] = 0.7,
    kv_cache: Annotated[
        bool, typer.Option(help="Block-causal models keep keys and values of finished blocks")
    ] = True,
    prompt_tokens: Annotated[
        list[str] | None,
        typer.Option(metavar="BENCHMARK=TOKENS", help="Mean prompt length that you know better; repeat it"),
    ] = None,
    cells: Annotated[
        bool, typer.Option("--cells", help="Also print every decoding of the evaluation")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the plan as JSON")] = False,
) -> None:
    """Say what a study needs before it runs: memory and hours of every stage, and disk.

    Everything is computed from the configuration and the sizes of the models; no GPU, model or network is
    needed, and nothing is measured. Parameters and forwards are exact. FLOP are those of the matrix products.
    A step takes as long as its arithmetic or its reading of weights, whichever is longer, at the sustained
    share of the GPU's rate. Memory is an upper estimate of the peak on one GPU. A column of N GPUs is the
    study with `runtime.processes: N`: alignment shards its state over all of them, rollouts and decoding are
    shared out in whole batches. What is assumed stands under the tables; prompt lengths of the published
    benchmarks are estimates.

    Exit code 2 when the study as configured fits on none of the named GPUs; the message says which number
    of processes or which settings (micro_batch, activation_checkpointing, vocab_chunk, batch sizes,
    rollout_shards) would. A study with `runtime.device: cpu` is not refused: its sizes are printed.
    """
    from xpflow.errors import ConfigError
    from xpflow.planning import make_plan
    from xpflow.planning.assumptions import Assumptions, find_gpu, parse_prompt_tokens
    from xpflow.planning.render import plan_values, render_plan
    from xpflow.study.config import load_study

    parts = gpus.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"not numbers of GPUs: {gpus!r}", hint="write --gpus 1,2,4,8")
    given = Assumptions(
        mfu=mfu,
        bandwidth_share=bandwidth_share,
        kv_cache=kv_cache,
        prompt_tokens=parse_prompt_tokens(prompt_tokens or []),
    )
    machines = [find_gpu(name) for name in gpu or ("h200", "a100-80")]
    found = make_plan(load_study(file), machines, sorted({int(part) for part in parts}), given)
    if json_:
        import json

        print(json.dumps(plan_values(found), indent=1))
    else:
        print(render_plan(found, cells=cells), end="")
    found.check()
