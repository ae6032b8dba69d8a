"""Published texts in small: a corpus as JSON lines, its tokenizers, and a GPT-2 that judges; all random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

END = "<|endoftext|>"
WORDS = ("the", "cat", "dog", "saw", "a", "bird", "and", "then", "slept", ".")
SPECIAL = {"bert-base-uncased": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), "gpt2": (END,)}


def write_corpus(folder: Path) -> Path:
    """Write texts.jsonl (columns text and sentence), both tokenizers by their names, and `judge`."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = torch.Generator().manual_seed(0)
    numbers = torch.randint(len(WORDS), (24, 12), generator=draw).tolist()
    lines = [" ".join(WORDS[number] for number in row) for row in numbers]
    rows = (json.dumps({"text": line, "sentence": line}) for line in lines)
    (folder / "texts.jsonl").write_text("".join(f"{row}\n" for row in rows))
    for name, special in SPECIAL.items():
        write_tokenizer(folder / name, special)
    write_judge(folder / "judge")
    return folder


def write_tokenizer(folder: Path, special: tuple[str, ...]) -> None:
    """Write a tokenizer whose configuration names no special token, as the published ones."""
    vocabulary = {word: number for number, word in enumerate((*special, *WORDS))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=special[0]))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens([AddedToken(word, special=True) for word in special])
    PreTrainedTokenizerFast(tokenizer_object=made).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 512}')


def write_judge(folder: Path) -> None:
    """Write a tiny random GPT-2 with its tokenizer."""
    write_tokenizer(folder, (END,))
    sizes: dict[str, Any] = {"n_positions": 64, "n_embd": 8, "n_layer": 1, "n_head": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ends = {"eos_token_id": 0, "bos_token_id": 0}
        GPT2LMHeadModel(GPT2Config(vocab_size=len(WORDS) + 1, **ends, **sizes)).save_pretrained(folder)
