"""What models of OpenWebText are measured on besides: the zero-shot sets of MDLM (arXiv 2406.07524).

Its seventh set is LM1B's test split. PTB and the scientific papers are published without Parquet files, as
scripts, and we know no commit of a conversion that can be pinned: name one, or a local file in the published
schema.
"""

from __future__ import annotations

from xpflow.corpora.corpus import Corpus, Part
from xpflow.corpora.detokenise import lambada, ptb, scientific_papers, wikitext
from xpflow.hub.repo import HubRepo

LAMBADA_TEST = "data/lambada_test.jsonl"

PTB = Corpus(
    name="ptb",
    about="Penn Treebank, detokenised; needs a revision or a file",
    hub=HubRepo("ptb", "ptb-text-only/ptb_text_only", "", "dataset", "Penn Treebank"),
    column="sentence",
    parts={split: Part(f"penn_treebank/{split}/*.parquet") for split in ("train", "validation", "test")},
    measured="validation",
    detokenise=ptb,
)
WIKITEXT103 = Corpus(
    name="wikitext103",
    about="WikiText-103, detokenised",
    hub=HubRepo(
        "wikitext",
        "Salesforce/wikitext",
        "b08601e04326c79dfdd32d625aee71d232d685c3",
        "dataset",
        "WikiText",
        files=("wikitext-103-raw-v1/*.parquet", "README.md"),
    ),
    column="text",
    parts={
        split: Part(f"wikitext-103-raw-v1/{split}-*.parquet") for split in ("train", "validation", "test")
    },
    measured="validation",
    detokenise=wikitext,
)
LAMBADA = Corpus(
    name="lambada",
    about="Lambada as OpenAI published it",
    hub=HubRepo(
        "lambada",
        "EleutherAI/lambada_openai",
        "900124bf3b8235c6daf21033af9948b3f07346c4",
        "dataset",
        "Lambada",
        # The hash is that of OpenAI's own file, too.
        {LAMBADA_TEST: "4aa8d02cd17c719165fc8a7887fddd641f43fcafa4b1c806ca8abc31fabdb226"},
        files=(LAMBADA_TEST, "README.md"),
    ),
    column="text",
    parts={"test": Part(LAMBADA_TEST)},
    measured="test",
    detokenise=lambada,
    sizes={"test": 1_819_752},
    download=1_819_752,
)
AG_NEWS = Corpus(
    name="ag_news",
    about="AG News, titles and first sentences",
    hub=HubRepo(
        "ag_news", "fancyzhx/ag_news", "eb185aade064a813bc0b7f42de02595523103ca4", "dataset", "AG News"
    ),
    column="text",
    parts={split: Part(f"data/{split}-*.parquet") for split in ("train", "test")},
    measured="test",
)


def _papers(name: str, title: str) -> Corpus:
    return Corpus(
        name=name,
        about=f"{title} papers, detokenised; needs a revision or a file",
        hub=HubRepo(name, "armanc/scientific_papers", "", "dataset", f"{title} papers"),
        column="article",
        parts={split: Part(f"{name}/{split}/*.parquet") for split in ("train", "validation", "test")},
        measured="validation",
        detokenise=scientific_papers,
    )


PUBMED, ARXIV = _papers("pubmed", "PubMed"), _papers("arxiv", "arXiv")
