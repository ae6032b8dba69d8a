"""The corpora by name: to add one, a value in a file of this folder and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.errors import DataError
from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.corpora.corpus import Corpus

CORPORA: Table[Corpus] = Table(
    kind="corpus",
    group="xpflow.corpora",
    own={
        "lm1b": "xpflow.corpora.training:LM1B",
        "openwebtext": "xpflow.corpora.training:OPENWEBTEXT",
        "fineweb-edu": "xpflow.corpora.training:FINEWEB_EDU",
        "ptb": "xpflow.corpora.zero_shot:PTB",
        "wikitext103": "xpflow.corpora.zero_shot:WIKITEXT103",
        "lambada": "xpflow.corpora.zero_shot:LAMBADA",
        "ag_news": "xpflow.corpora.zero_shot:AG_NEWS",
        "pubmed": "xpflow.corpora.zero_shot:PUBMED",
        "arxiv": "xpflow.corpora.zero_shot:ARXIV",
    },
    accepts="xpflow.corpora.corpus:Corpus",
    attribute="CORPUS",
    error=DataError,
)
