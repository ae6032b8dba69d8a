"""A self-test after loading: does the model know any language at all?

Every seventh token of a fixed answer to a fixed request is masked and predicted. Weights that are random,
permuted, of another architecture's revision or read with a wrong convention leave the cross-entropy at ln V
(11.7 nats for LLaDA-8B, 12.0 for LLaDA2.0-mini) or above; a trained model is far below half of that. It
catches broken weights, not slightly wrong numbers: those are what the parity tests are for. The shipped micro
models know MicroPy only: they pass with a turn of theirs, not with this one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xpflow.errors import SelfTestError
from xpflow.models.tokenizer import encode_prompt
from xpflow.noise import noise_of

EVERY, FIRST = 7, 3  # positions that are masked: 3, 10, 17, ... (14 %)
REQUEST = "Write a Python function that returns the mean of a list, and one that counts the words of a text."
ANSWER = '''\
def mean(values):
    """Return the arithmetic mean of a list of numbers, or 0.0 when the list is empty."""
    if len(values) == 0:
        return 0.0
    total = 0.0
    for value in values:
        total = total + value
    return total / len(values)


def count_words(text):
    """Return a dictionary that says how often every word occurs in the text."""
    counts = {}
    for word in text.lower().split():
        if word in counts:
            counts[word] = counts[word] + 1
        else:
            counts[word] = 1
    return counts


# The sun rises in the east and sets in the west. Water boils at one hundred degrees, a week has seven days,
# and the capital of France is Paris. The first function divides the sum by the number of values.
'''


@dataclass(frozen=True, slots=True)
class Turn:
    """One user turn and its answer, in plain text."""

    request: str = REQUEST
    answer: str = ANSWER


@torch.no_grad()
def masked_cross_entropy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, turn: Turn = Turn()
) -> float:
    """Return the mean cross-entropy in nats of the answer's masked tokens, given all others."""
    device = next(model.parameters()).device
    prompt = encode_prompt(tokenizer, turn.request)
    answer = list(tokenizer(turn.answer, add_special_tokens=False)["input_ids"])
    clean_1S = torch.tensor([prompt + answer], device=device)
    places_1N = torch.arange(len(prompt) + FIRST, clean_1S.shape[1], EVERY, device=device)[None]
    noisy_1S = clean_1S.scatter(1, places_1N, _mask_of(model))
    logits_1NV: Tensor = model(input_ids=noisy_1S, logits_positions_BN=places_1N).logits
    return float(F.cross_entropy(logits_1NV[0].float(), clean_1S.gather(1, places_1N)[0]))


def _mask_of(model: PreTrainedModel) -> int:
    ids = noise_of(model.config).ids
    if not ids:
        raise SelfTestError(
            "the self-test hides tokens behind a mask, and this model has none",
            hint="set `self_test: false` for the model in the study",
        )
    return ids[0]


def bound(model: PreTrainedModel) -> float:
    """Return the most that a sound model may have: half of ln V, what a uniform guess costs."""
    return 0.5 * math.log(model.config.vocab_size)


def require_sound(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, turn: Turn = Turn()
) -> float:
    """Return the cross-entropy of the answer in nats; raises SelfTestError when it is near chance."""
    found, most = masked_cross_entropy(model, tokenizer, turn), bound(model)
    if not found < most:  # also catches NaN
        raise SelfTestError(
            f"{name} predicts masked tokens of a plain text with {found:.2f} nats;"
            f" a trained model stays below {most:.2f}, a uniform guess has {2 * most:.2f}",
            hint="the weights are random, damaged or not this model's: fetch them again, compare config.json;"
            " for weights that are random on purpose set `self_test: false` for the model in the study",
        )
    return found
