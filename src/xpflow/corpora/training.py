"""What models are trained on: LM1B, OpenWebText (splits of MDLM, arXiv 2406.07524), FineWeb-Edu."""

from __future__ import annotations

from xpflow.corpora.corpus import Corpus, Part
from xpflow.corpora.detokenise import lm1b
from xpflow.hub.repo import HubRepo

DOCUMENTS = 8_013_769  # of OpenWebText; its last 100,000 are measured on
HELD_OUT = 39_769_491_688 * 100_000 // DOCUMENTS  # bytes of text, if these are as long as the others

# Commits are those that public records of several projects agree on. LM1B's is the hub's own conversion.
LM1B = Corpus(
    name="lm1b",
    about="One Billion Word benchmark, detokenised",
    hub=HubRepo(
        "lm1b",
        "billion-word-benchmark/lm1b",
        "8d52bfd3cc2819fc1166dbb8144c328e2690de3e",
        "dataset",
        "One Billion Word benchmark",
        {
            "plain_text/test/0000.parquet": (
                "d3c7b4b2a48c24e9ae8353d6316dbac1453b08f2d870da9fa096c941e8f4cc8a"
            )
        },
    ),
    column="text",
    parts={"train": Part("plain_text/train/*.parquet"), "test": Part("plain_text/test/*.parquet")},
    measured="test",
    detokenise=lm1b,
    sizes={"train": 4_238_206_516, "test": 42_942_045},
    download=4_281_148_561,  # at most: of the text itself
)
OPENWEBTEXT = Corpus(
    name="openwebtext",
    about="OpenWebText; the last 100,000 documents are held out",
    hub=HubRepo(
        "openwebtext",
        "Skylion007/openwebtext",
        "b4325f019c648b1641a1784748667e8b74e5e064",
        "dataset",
        "OpenWebText, 8 M documents",
    ),
    column="text",
    parts={
        "train": Part("plain_text/train-*.parquet", stop=-100_000),
        "validation": Part("plain_text/train-*.parquet", start=-100_000),
    },
    measured="validation",
    rows={"train": DOCUMENTS, "validation": DOCUMENTS},
    sizes={"train": 39_769_491_688 - HELD_OUT, "validation": HELD_OUT},
    download=24_193_092_408,
)
PAGES = 9_672_101  # of FineWeb-Edu's sample/10BT, in 14 files; its last 10,000 are measured on
FINEWEB_EDU = Corpus(
    name="fineweb-edu",
    about="FineWeb-Edu's sample of 10 billion tokens; the last 10,000 pages are held out",
    hub=HubRepo(
        "fineweb-edu-10bt",
        "HuggingFaceFW/fineweb-edu",
        "87f09149ef4734204d70ed1d046ddc9ca3f2b8f9",
        "dataset",
        "FineWeb-Edu, sample/10BT, 9.7 M pages",
        files=("sample/10BT/*.parquet", "README.md"),
    ),
    column="text",
    parts={
        "train": Part("sample/10BT/*.parquet", stop=-10_000),
        "validation": Part("sample/10BT/*.parquet", start=-10_000),
    },
    measured="validation",
    rows={"train": PAGES, "validation": PAGES},
)
