"""`xpflow text sample`, `judge` and `perplexity`: a model's texts, GPT-2's word on them, its own bound."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from xpflow.cli.base import OUT_FILE, examples

SAMPLE = examples("xpflow text sample mdlm-owt --count 16 --steps 128 --out samples.jsonl")
JUDGE = examples("xpflow text judge samples.jsonl --device cuda")
PERPLEXITY = examples("xpflow text perplexity mdlm-owt packed/owt-validation --limit 512 --device cuda")


def sample(
    model: Annotated[str, typer.Argument(help="Name of a model, or folder of a checkpoint")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="File of rows {text, ids, nfe}")],
    count: Annotated[int, typer.Option(min=1, help="How many texts")] = 16,
    steps: Annotated[int, typer.Option(min=1, help="Steps at most")] = 128,
    length: Annotated[int | None, typer.Option(min=1, help="Tokens; default: the model's places")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of order and words")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """Draw texts from nothing but masks, in float64, as masked diffusion does (alpha = 1 - t)."""
    from xpflow.artifacts.io import write_jsonl
    from xpflow.errors import ConfigError
    from xpflow.masking.subs import require_masks, sampled_texts
    from xpflow.models.load import load_model

    network, words = load_model(model, device)
    require_masks(network, model)
    _say_what_is_left_out(network, model)
    most = network.config.max_position_embeddings
    places = length or most
    if places > most:
        raise ConfigError(f"texts of {places} tokens, and {model} has {most} places", hint="lower --length")
    write_jsonl(out, sampled_texts(network, words, count, places, steps, seed))
    print(f"{out}: {count} texts of {places} tokens")


def _say_what_is_left_out(network: Any, model: str) -> None:
    """Note that a model is asked as plain masked diffusion, where its objective gave it more than that."""
    file = getattr(network, "objective_file", None)
    if file is not None and file.modules:
        print(
            f"note: {model} has {' and '.join(sorted(file.modules))} of the objective {file.objective!r}. "
            "Here masks are plain, every place is as likely to be next; `xpflow corpus` asks it by its own",
            file=sys.stderr,
        )


def judge(
    samples: Annotated[Path, typer.Argument(metavar="SAMPLES", help="File of rows with a column text")],
    length: Annotated[int, typer.Option(min=2, help="Tokens of a sample at most")] = 1024,
    folder: Annotated[
        Path | None, typer.Option("--model", help="Folder of another GPT-2; default: GPT-2 large")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """Print the generative perplexity of samples under GPT-2 large, with their entropy and NFE."""
    from xpflow.corpora.judge import judged, load_judge, read_samples

    rows = read_samples(samples)
    ids = [row["ids"] for row in rows] if all("ids" in row for row in rows) else None
    found = judged(load_judge(folder, device), [row["text"] for row in rows], ids, length)
    print(
        f"{samples}: perplexity {found.perplexity:.2f} ({found.nll:.4f} nats a token, {found.tokens} tokens),"
        f" entropy {found.entropy:.3f} nats, {found.samples} samples"
    )


def perplexity(
    model: Annotated[str, typer.Argument(help="Name of a model, or folder of a checkpoint")],
    rows: Annotated[Path, typer.Argument(metavar="ROWS", help="Folder of `xpflow text pack`")],
    limit: Annotated[int | None, typer.Option(min=2, help="Only the first rows")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Times and masks of each row")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of times and masks")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """Print the perplexity of a model's masked diffusion on a packed corpus: an upper bound."""
    from xpflow.corpora.store import read_rows, require_fit
    from xpflow.masking.subs import require_masks
    from xpflow.models.load import load_model
    from xpflow.training.corpus_measure import perplexity as measured

    packed = read_rows(rows, whole=True)
    network, words = load_model(model, device)
    require_masks(network, model)
    _say_what_is_left_out(network, model)
    require_fit(packed, network, words)
    found = measured(network, packed, limit, draws, seed=seed)
    print(
        f"{rows}: perplexity at most {found.value:.2f} ({found.nats:.4f} ± {found.standard_error:.4f} nats"
        f" a token), {found.rows} rows, {found.forwards} forwards"
    )
