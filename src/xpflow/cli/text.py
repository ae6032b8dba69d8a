"""`xpflow text`: small languages with an exact oracle (MicroText): sentences, entropies, files, models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app
from xpflow.cli.inputs import as_listed
from xpflow.cli.text_couple import EXAMPLES as COUPLE
from xpflow.cli.text_couple import couple
from xpflow.cli.text_pack import EXAMPLES as PACK
from xpflow.cli.text_pack import pack
from xpflow.cli.text_samples import JUDGE, PERPLEXITY, SAMPLE, judge, perplexity, sample
from xpflow.cli.text_train import EXAMPLES as TRAIN
from xpflow.cli.text_train import train

app = new_app("List, show or export small languages of which everything is known, or train models of them.")

Name = Annotated[str, typer.Argument(metavar="WORLD", help="Name of a world (`xpflow text list`)")]


@app.command("list", epilog=examples("xpflow text list"))
def list_() -> None:
    """List the worlds."""
    from xpflow.microtext import WORLDS

    width = max(map(len, WORLDS))
    for name in WORLDS:
        print(f"{name:<{width}}  {WORLDS[name].about}")


@app.command(
    epilog=examples("xpflow text show english --limit 5", "xpflow text show orders --split validation")
)
def show(
    name: Name,
    split: Annotated[str, typer.Option(help="train, validation or test")] = "test",
    limit: Annotated[int, typer.Option(min=0, help="Only the first sentences")] = 8,
) -> None:
    """Print sentences of a split, each with its exact log-likelihood in nats."""
    from xpflow.microtext import WORLDS
    from xpflow.microtext.splits import load

    world = WORLDS[name]
    ids_NL = load(world, split)[:limit]
    for row, log_p in zip(ids_NL.tolist(), world.log_prob(ids_NL).tolist(), strict=True):
        print(f"{log_p:9.3f}  {world.text(row)}")


@app.command(epilog=examples("xpflow text entropy english orders agreement-8-10"))
def entropy(
    names: Annotated[
        list[str], typer.Argument(metavar="WORLD...", help="Names of worlds (`xpflow text list`)")
    ],
) -> None:
    """Print sizes, the entropy of a sentence, and what decoding all of it in one step loses (nats).

    Entropies are exact where words tell the states behind them, elsewhere estimated with a standard error.
    """
    from xpflow.microtext import WORLDS
    from xpflow.microtext.measure import entropy as entropy_of
    from xpflow.microtext.measure import one_step_loss

    for name in names:
        world = WORLDS[name]
        found, lost = entropy_of(world), one_step_loss(world)
        shown = [
            f"{one.value:.4f}" + (f" ± {one.standard_error:.4f}" if one.standard_error else " (exact)")
            for one in (found, lost)
        ]
        per = f"{found.value / world.length:.4f} a word"
        sizes = f"{world.size} words, {world.length} places"
        print(f"{name}: {sizes}, entropy {shown[0]}, {per}, one step loses {shown[1]}")


@app.command(epilog=examples("xpflow text score english sentences.txt"))
def score(
    name: Name,
    file: Annotated[Path, typer.Argument(callback=as_listed, help="Text file with a sentence on each line")],
) -> None:
    """Measure sentences of a file by their exact likelihood, and count those that the language cannot say."""
    import torch

    from xpflow.artifacts.io import read_text
    from xpflow.microtext import WORLDS
    from xpflow.microtext.measure import quality

    world = WORLDS[name]
    lines = [line for line in read_text(file).splitlines() if line.strip()]
    ids_BL = torch.tensor([world.ids(line) for line in lines]).reshape(len(lines), world.length)
    found = quality(world, ids_BL)
    nll = f"{found.nll.value:.4f}" if found.nll else "-"
    if found.nll and found.nll.standard_error > 0:  # equal sentences say nothing of how far others lie
        nll += f" ± {found.nll.standard_error:.4f}"
    print(
        f"{found.sentences} sentences, {found.invalid:.4f} invalid, {found.distinct:.4f} distinct, nll {nll}"
    )


@app.command(epilog=examples("xpflow text dataset english orders --out microtext/"))
def dataset(
    names: Annotated[
        list[str], typer.Argument(metavar="WORLD...", help="Names of worlds (`xpflow text list`)")
    ],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for Parquet files and their card")],
) -> None:
    """Write worlds with all their splits as a data set that `datasets.load_dataset` reads."""
    from xpflow.microtext import WORLDS
    from xpflow.microtext.dataset import write_dataset

    for path in write_dataset(out, [WORLDS[name] for name in names]):
        print(path)


app.command("train", epilog=TRAIN)(train)
app.command("couple", epilog=COUPLE)(couple)
app.command("pack", epilog=PACK)(pack)
app.command("sample", epilog=SAMPLE)(sample)
app.command("judge", epilog=JUDGE)(judge)
app.command("perplexity", epilog=PERPLEXITY)(perplexity)
