"""`xpflow corpus pack`: documents of a study's texts as rows of token ids."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples
from xpflow.cli.corpus_job import Study, Texts, begin

EXAMPLES = examples("xpflow corpus pack lm1b train --config config/lomdm-paper.yaml --out rows/train")


def pack(
    texts: Texts,
    rows: Annotated[str, typer.Argument(metavar="ROWS", help="train, or a name in their `measured`")],
    config: Study,
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for the rows")],
) -> None:
    """Turn documents into rows of token ids of one length, as MDLM's data has them."""
    from xpflow.corpora.pack import pack_corpus
    from xpflow.corpora.tokenizers import text_tokenizer
    from xpflow.hub.tables import source_files
    from xpflow.study.corpus import corpus_text, find_rows, rows_facts, source_of
    from xpflow.study.layout import ROWS_FILES

    study, job, record = begin("corpus-pack", config, lambda study: find_rows(study, texts, rows))
    chosen = corpus_text(study, texts)
    part = chosen.part(job.rows)
    corpus, split = source_of(part, job.rows)
    file = Path(part.file) if part.file else None
    record.read(*(source_files(file) if file else ()))
    folder = chosen.tokenizer_directory
    tokenizer = text_tokenizer(chosen.tokenizer, Path(folder) if folder else None)
    about = {key: value for key, value in rows_facts(study, job).items() if key not in ("length", "packed")}
    documents = corpus.documents(split, file, part.revision or "")
    count = pack_corpus(out, documents, tokenizer, chosen.length, False, about)
    record.write([out / name for name in ROWS_FILES], "rows")
    print(f"{out}: {count} rows of {chosen.length} tokens")
