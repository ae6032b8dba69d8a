"""`xpflow text pack`: a corpus as rows of token ids."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, unused

EXAMPLES = examples(
    "xpflow text pack lm1b --tokenizer bert-base-uncased --length 128 --out packed/lm1b",
    "xpflow text pack openwebtext --split validation --tokenizer gpt2 --length 1024 --out packed/owt",
)


def pack(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="CORPUS", help="Name of a corpus, or FILE.py:NAME")],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for the rows of token ids")],
    tokenizer: Annotated[str, typer.Option(help="gpt2 or bert-base-uncased")],
    length: Annotated[int, typer.Option(min=3, help="Tokens of a row")],
    split: Annotated[str, typer.Option(help="A split of the corpus")] = "train",
    alone: Annotated[bool, typer.Option("--alone", help="A row for each document, nothing joined")] = False,
    file: Annotated[Path | None, typer.Option(help="Local copy of the split's files")] = None,
    revision: Annotated[
        str | None, typer.Option(help="Commit of the data set; default: the pinned one")
    ] = None,
    tokenizer_folder: Annotated[
        Path | None, typer.Option(help="Folder with the tokenizer's files; default: the hub's cache")
    ] = None,
) -> None:
    """Turn the documents of a corpus into rows of token ids of one length, as MDLM's data has them."""
    from xpflow.corpora import CORPORA
    from xpflow.corpora.pack import pack_corpus
    from xpflow.corpora.tokenizers import text_tokenizer

    if file is not None:
        unused(context, "a local --file has no commit", "revision")
    corpus = CORPORA[name]
    words = text_tokenizer(tokenizer, tokenizer_folder)
    texts = corpus.documents(split, file, revision or "")
    source = str(file) if file else corpus.repo(revision or "").label
    about = {"corpus": corpus.name, "split": split, "source": source, "tokenizer": tokenizer}
    count = pack_corpus(out, texts, words, length, alone, about)
    print(f"{out}: {count} rows of {length} tokens")
