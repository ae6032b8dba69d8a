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


STUDY = """
study: {name: tiny-corpus}
models: []
problems: {benchmarks: []}
evaluation: {arms: []}
text:
  updates: 4
  batch_size: 4
  warmup_updates: 2
  average: 0.9
  corpus:
    judge_directory: tiny/judge
    texts:
      - name: lm1b
        train: {corpus: lm1b, file: tiny/texts.jsonl}
        tokenizer: bert-base-uncased
        tokenizer_directory: tiny/bert-base-uncased
        length: 8
        sizes: {model_length: 8, hidden_dim: 16, cond_dim: 4, n_blocks: 1, n_heads: 2}
        measured:
          - {name: test, corpus: lm1b, file: tiny/texts.jsonl}
          - {name: ptb, corpus: ptb, file: tiny/texts.jsonl, limit: 4}
        steps: [2, 8]
        samples: 4
      - name: owt
        train: {corpus: ag_news, file: tiny/texts.jsonl}
        tokenizer: gpt2
        tokenizer_directory: tiny/gpt2
        length: 8
        sizes: {model_length: 8, hidden_dim: 16, cond_dim: 4, n_blocks: 1, n_heads: 2}
        measured: [{name: validation, corpus: ag_news, file: tiny/texts.jsonl}]
  runs:
    - name: masked
      objective: order_expressive
      settings: {schedule: constant}
      published: {lm1b: {test: 31.8}}
    - {name: lomdm, worlds: [lm1b], objective: order_expressive, settings: {schedule: learned, width: 8}}
    - name: sdtt
      worlds: [lm1b]
      from: masked
      objective: self_distillation
      settings: {width: 4, dt: 0.5}
      report: false
    - name: redi
      worlds: [lm1b]
      from: sdtt
      objective: infinite_mask
      settings: {width: 4}
      couplings: {count: 8, steps: 8}
      continue_noise: true
reporting: {figure_formats: [png]}
runtime: {processes: PROCESSES}
"""


def write_study(path: Path, processes: int = 1) -> Path:
    """Write a study of these texts, to be run beside the folder `tiny` of `write_corpus`."""
    path.write_text(STUDY.replace("PROCESSES", str(processes)))
    return path
