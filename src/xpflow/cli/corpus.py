"""`xpflow corpus`: published texts as rows of tokens, and the stages of a study of models of them."""

from __future__ import annotations

from xpflow.cli.base import examples, new_app
from xpflow.cli.corpus_couple import EXAMPLES as COUPLE
from xpflow.cli.corpus_couple import couple
from xpflow.cli.corpus_judge import EXAMPLES as JUDGE
from xpflow.cli.corpus_judge import judge
from xpflow.cli.corpus_measure import EXAMPLES as MEASURE
from xpflow.cli.corpus_measure import measure
from xpflow.cli.corpus_pack import EXAMPLES as PACK
from xpflow.cli.corpus_pack import pack
from xpflow.cli.corpus_sample import EXAMPLES as SAMPLE
from xpflow.cli.corpus_sample import sample
from xpflow.cli.corpus_train import EXAMPLES as TRAIN
from xpflow.cli.corpus_train import train

app = new_app("List published corpora, or do a stage of a study's block `text.corpus`.")


@app.command("list", epilog=examples("xpflow corpus list"))
def list_() -> None:
    """List the corpora."""
    from xpflow.corpora import CORPORA

    width = max(map(len, CORPORA))
    for name in CORPORA:
        commit = CORPORA[name].hub.revision[:12] or "no commit"
        print(f"{name:<{width}}  {commit:<12}  {CORPORA[name].about}")


app.command("pack", epilog=PACK)(pack)
app.command("train", epilog=TRAIN)(train)
app.command("couple", epilog=COUPLE)(couple)
app.command("measure", epilog=MEASURE)(measure)
app.command("sample", epilog=SAMPLE)(sample)
app.command("judge", epilog=JUDGE)(judge)
