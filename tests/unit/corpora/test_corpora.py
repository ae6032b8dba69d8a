"""Corpora in their published schemas, from documents to rows of token ids."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset
from pyarrow import parquet
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from xpflow.cli import main
from xpflow.corpora import CORPORA
from xpflow.corpora.corpus import Corpus, Part
from xpflow.corpora.packing import alone, packed
from xpflow.corpora.store import read_rows, write_rows
from xpflow.corpora.tokenizers import TOKENIZERS, text_tokenizer
from xpflow.errors import ConfigError, DataError, HubError, ModelLoadError
from xpflow.hub.repo import HubRepo

TEXTS = [f"document {number} ." for number in range(7)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    return path


@pytest.fixture
def held_out() -> Corpus:
    """A corpus like OpenWebText: one folder of files, of which the last documents are held out."""
    parts = {"train": Part("text/*.parquet", stop=-2), "validation": Part("text/*.parquet", start=-2)}
    hub = HubRepo("tiny", "somebody/tiny", "0" * 40, "dataset")
    return Corpus("tiny", "", hub, "text", parts, "validation", rows=dict.fromkeys(parts, 7))


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("xpflow.hub.repo.local_snapshot", lambda repo: tmp_path / "snapshot")
    for number, texts in enumerate((TEXTS[:3], TEXTS[3:])):
        write(tmp_path / f"snapshot/text/{number}.parquet", [{"text": text} for text in texts])
    return tmp_path / "snapshot"


@pytest.mark.parametrize("name", list(CORPORA))
def test_every_corpus_says_what_others_must_know(name: str) -> None:
    corpus = CORPORA[name]
    assert corpus.name == name
    assert corpus.measured in corpus.parts
    assert corpus.hub.kind == "dataset"
    if corpus.hub.revision:
        assert len(corpus.hub.revision) == 40
    else:
        with pytest.raises(ConfigError, match="no default revision"):
            next(corpus.documents(corpus.measured))
        assert corpus.repo("1" * 40).revision == "1" * 40


@pytest.mark.parametrize(
    ("name", "published", "text"),
    [
        ("lm1b", 'He paid $ 5 , and " it \'s done " .', 'He paid $5, and "it\'s done" .'),
        ("lm1b", "See http : / / a ( b ) ; why ?", "See http://a (b); why?"),
        ("ptb", "the <unk> 's price is N N $ N \\/ share do n't", "the ?'s price is 1 1 $1 / share don't"),
        (
            "wikitext103",
            " = = Title = = \n A 3 @.@ 5 @-@ foot ( very tall ) dog 's tail . ",
            " == Title ==\nA 3.5-foot (very tall) dog's tail. ",
        ),
        ("lambada", " \u201cno\u201d, he said\n", '\n"no", he said'),
        ("pubmed", "the ( small ) dose , 2 @.@ 5 mg .", "the (small) dose, 2.5 mg."),
        ("ag_news", "Oil ( Reuters ) - up .", "Oil ( Reuters ) - up ."),
    ],
)
def test_documents_of_the_published_schema_are_running_text(
    name: str, published: str, text: str, tmp_path: Path
) -> None:
    corpus = CORPORA[name]
    rows = [{corpus.column: published, "other": 3}]
    file = write(tmp_path / "a.parquet", rows)
    Dataset.from_list(rows).save_to_disk(tmp_path / "arrow")
    (tmp_path / "lines.jsonl").write_text(json.dumps(rows[0]) + "\n")
    for source in (file, tmp_path / "arrow", tmp_path / "lines.jsonl"):
        assert list(corpus.documents(corpus.measured, source)) == [text]


def test_a_slice_counts_over_all_files(held_out: Corpus, snapshot: Path) -> None:
    assert list(held_out.documents("train")) == TEXTS[:-2]
    assert list(held_out.documents("validation")) == TEXTS[-2:]


def test_a_slice_of_too_few_documents_is_refused(held_out: Corpus, snapshot: Path, tmp_path: Path) -> None:
    (snapshot / "text/1.parquet").unlink()
    with pytest.raises(DataError, match=r"has 3 documents, not 7: the split 'train'"):
        next(held_out.documents("train"))
    Dataset.from_list([{"text": "a"}]).save_to_disk(tmp_path / "arrow")
    with pytest.raises(DataError, match="has 1 documents, not 7"):
        next(held_out.documents("validation", tmp_path / "arrow"))


def test_files_are_hashed_before_they_are_read(held_out: Corpus, snapshot: Path) -> None:
    right = hashlib.sha256((snapshot / "text/0.parquet").read_bytes()).hexdigest()
    pinned = replace(held_out, hub=replace(held_out.hub, sha256={"text/0.parquet": right}))
    assert next(pinned.documents("train")) == TEXTS[0]
    wrong = replace(held_out, hub=replace(held_out.hub, sha256={"text/0.parquet": "0" * 64}))
    with pytest.raises(HubError, match="the cached file has sha256"):
        next(wrong.documents("train"))


def test_what_is_no_text_and_what_is_no_split_is_named(held_out: Corpus, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [{"txt": "a"}] * 7)
    with pytest.raises(DataError, match=r"row 0: no text in the column 'text'"):
        next(held_out.documents("train", file))
    with pytest.raises(ConfigError, match="no split 'test'"):
        next(held_out.documents("test"))
    with pytest.raises(DataError, match="did you mean 'openwebtext'"):
        CORPORA["openwebtex"]


def test_packing_joins_documents_and_puts_begin_and_end_around_every_piece() -> None:
    """Documents 1 2 3 | 4 | 5 6 7 8 9 10, end 0: pieces of 4 ids; what is left of a group is dropped."""
    documents = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10]]
    assert list(packed(documents, 6, 99, 0)) == [
        [99, 1, 2, 3, 0, 0],
        [99, 4, 0, 5, 6, 0],
        [99, 7, 8, 9, 10, 0],
    ]
    assert list(packed(documents, 6, 99, 0, joined=2)) == [[99, 1, 2, 3, 0, 0], [99, 5, 6, 7, 8, 0]]
    assert list(packed(documents, 15, 99, 0)) == [[99, 1, 2, 3, 0, 4, 0, 5, 6, 7, 8, 9, 10, 0, 0]]
    assert list(packed(documents, 16, 99, 0)) == []
    assert list(alone(documents, 6, 99, 0)) == [[99, 1, 2, 3, 0], [99, 4, 0], [99, 5, 6, 7, 8, 0]]


@pytest.mark.parametrize("vocabulary", [12, 70_000])
def test_rows_come_back_from_disk_and_every_epoch_sees_each_once(vocabulary: int, tmp_path: Path) -> None:
    made = [[number, number + 1][: 1 + number % 2] for number in range(10)]
    assert write_rows(tmp_path / "r", made, 2, vocabulary, {"corpus": "tiny", "packed": False}) == 10
    rows = read_rows(tmp_path / "r")
    assert [list(rows.row(number)) for number in range(10)] == made
    assert (len(rows), rows.length, rows.about["corpus"]) == (10, 2, "tiny")
    seen = [row for update in range(5) for row in rows.at(7, update, 4)]  # two epochs
    for epoch in (seen[:10], seen[10:]):
        assert Counter(epoch) == Counter(map(tuple, made))
    assert seen[:10] != seen[10:]
    assert rows.at(7, 3, 4) == seen[12:16]
    assert rows.at(8, 0, 4) != seen[:4]


def test_rows_that_do_not_fit_or_are_cut_short_are_refused(tmp_path: Path) -> None:
    for bad in ([1, 2, 3], [12], [-1]):
        with pytest.raises(DataError, match="do not fit 2 of 12 words"):
            write_rows(tmp_path / "r", [bad], 2, 12, {})
    with pytest.raises(DataError, match="no row of 2 ids"):
        write_rows(tmp_path / "r", [], 2, 12, {})
    with pytest.raises(DataError, match="no packed corpus"):
        read_rows(tmp_path / "r")
    write_rows(tmp_path / "r", [[1, 2]] * 3, 2, 12, {"packed": True})
    with open(tmp_path / "r/tokens.bin", "r+b") as file:
        file.truncate(10)
    with pytest.raises(DataError, match="10 bytes, not 12"):
        read_rows(tmp_path / "r")


def tokenizer_folder(path: Path, *special: str) -> Path:
    """Write a tokenizer as published: its configuration names no special token."""
    words = [*special, "document", ".", *map(str, range(7))]
    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="."))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=made)
    wrapped.add_special_tokens({"additional_special_tokens": list(special)})
    wrapped.save_pretrained(path)
    (path / "tokenizer_config.json").write_text('{"model_max_length": 512}')
    return path


BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def test_tokenizers_begin_and_end_texts_as_the_papers_do(tmp_path: Path) -> None:
    bert = text_tokenizer("bert-base-uncased", tokenizer_folder(tmp_path / "bert", *BERT))
    assert (bert.bos_token_id, bert.eos_token_id, bert.pad_token_id, bert.mask_token_id) == (2, 3, 0, 4)
    gpt2 = text_tokenizer("gpt2", tokenizer_folder(tmp_path / "gpt2", "<|endoftext|>"))
    assert (gpt2.bos_token_id, gpt2.eos_token_id, gpt2.mask_token_id) == (0, 0, None)
    assert all(len(one.repo.revision) == 40 for one in TOKENIZERS.values())
    with pytest.raises(ModelLoadError, match=r"no token \[CLS\]"):
        text_tokenizer("bert-base-uncased", tmp_path / "gpt2")
    with pytest.raises(ModelLoadError, match="did you mean 'gpt2'"):
        text_tokenizer("gpt", tmp_path / "gpt2")


def test_the_command_packs_a_corpus_exactly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "test.parquet", [{"text": text} for text in TEXTS])
    folder = tokenizer_folder(tmp_path / "bert", *BERT)
    words = ["text", "pack", "lm1b", "--split", "test", "--tokenizer", "bert-base-uncased"]
    words += ["--file", str(file), "--tokenizer-folder", str(folder), "--length", "8"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert "3 rows of 8 tokens" in capsys.readouterr().out
    rows = read_rows(tmp_path / "out")
    # "document 0." is two words after detokenising, and "0." is unknown to this tokenizer
    whole = [5, 6, 3] * 7
    assert [rows.row(n) for n in range(3)] == [(2, *whole[6 * n : 6 * n + 6], 3) for n in range(3)]
    assert rows.about["source"] == str(file)
    assert main([*words, "--alone", "--out", str(tmp_path / "alone")]) == 0
    assert read_rows(tmp_path / "alone").row(0) == (2, 5, 6, 3)


def test_lines_of_json_in_a_repository_are_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xpflow.hub.repo.local_snapshot", lambda repo: tmp_path)
    lines = b'{"text": "one"}\n{"text": "two"}\n'
    (tmp_path / "a.jsonl").write_bytes(lines)
    hub = HubRepo(
        "lines", "somebody/lines", "0" * 40, "dataset", sha256={"a.jsonl": hashlib.sha256(lines).hexdigest()}
    )
    corpus = Corpus("lines", "", hub, "text", {"test": Part("a.jsonl")}, "test")
    assert list(corpus.documents("test")) == ["one", "two"]
