"""The byte-level BPE tokenizer of the micro models and the chat templates of both families.

The micro tokenizers are of the same kind as upstream's: byte-level BPE, special tokens outside the merges, a
chat template that always ends with an open assistant turn. Their merges are trained on the MicroPy training
split only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

Family = Literal["llada", "llada2"]

# Indentation goes with the line end before it, a digit stands alone, a word takes the space before it.
_SPLIT = r"[^\w\s]*\n *| ?[A-Za-z_]+| ?[0-9]| ?[^\w\s]+| +"

SPECIAL_TOKENS: dict[Family, dict[str, str]] = {
    "llada": {
        "bos": "<|startoftext|>",
        "eos": "<|endoftext|>",
        "mask": "<|mdm_mask|>",
        "header_start": "<|start_header_id|>",
        "header_end": "<|end_header_id|>",
        "eot": "<|eot_id|>",
    },
    "llada2": {
        "bos": "<|startoftext|>",
        "eos": "<|endoftext|>",
        "mask": "<|mask|>",
        "role_end": "<|role_end|>",
    },
}

CHAT_TEMPLATES: dict[Family, str] = {
    "llada": (
        "{% for message in messages %}"
        "{% if loop.first %}{{ bos_token }}{% endif %}"
        "<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
        "{{ message['content'] | trim }}<|eot_id|>"
        "{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    ),
    "llada2": (
        "{% for message in messages %}"
        "<role>{{ {'user': 'HUMAN', 'assistant': 'ASSISTANT', 'system': 'SYSTEM'}[message['role']] }}</role>"
        "{{ message['content'] }}<|role_end|>"
        "{% endfor %}<role>ASSISTANT</role>"
    ),
}


def train_tokenizer(family: Family, texts: Iterable[str], vocab_size: int = 1024) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer of a family on texts; its vocabulary has at most `vocab_size`
    entries."""
    special = SPECIAL_TOKENS[family]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return as_published(tokenizer, family)


def as_published(tokenizer: Tokenizer, family: Family) -> PreTrainedTokenizerFast:
    """Wrap a tokenizer as transformers uses it, with a family's special tokens and chat template."""
    special = SPECIAL_TOKENS[family]
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=special["bos"],
        eos_token=special["eos"],
        pad_token=special["eos"],
        mask_token=special["mask"],
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATES[family]
    return wrapped


def micropy_texts(family: Family, count: int = 20_000, seed: int = 0) -> Iterator[str]:
    """Yield the texts the micro tokenizer is trained on: requests, answers and the template's own words."""
    from xpflow.problems.micropy.dataset import training_pairs

    turns = (
        ("user\n\n", "assistant\n\n")
        if family == "llada"
        else ("<role>HUMAN</role>", "<role>ASSISTANT</role>")
    )
    for question, answer in islice(training_pairs(seed), count):
        yield turns[0]
        yield question
        yield turns[1]
        yield answer


def encode_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return the token ids of one user turn in the model's chat template, ending with the open assistant
    turn."""
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False)
    return list(tokenizer(rendered, add_special_tokens=False)["input_ids"])


def decode_response(tokenizer: PreTrainedTokenizerBase, ids: Iterable[int]) -> str:
    """Return the text of response tokens without special tokens; nothing is cut at an end-of-text token."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True))
