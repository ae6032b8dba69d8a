"""Generative perplexity: what GPT-2 large says of samples, and the entropy without which it says little.

As in MDLM's evaluation: a sample's text is tokenized anew by the judge, cut at its length, and every token is
predicted from those before it; tokens that end a text count once, the first of a sample, and padding never.
The perplexity is that of all tokens together. A model that repeats itself is cheap to predict, so the unigram
entropy of its samples stands beside it (nats, the mean over samples): repetition has little.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xpflow.artifacts.io import read_jsonl
from xpflow.corpora.judge_repo import GPT2_LARGE
from xpflow.errors import DataError
from xpflow.hub.repo import local_snapshot

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Judge:
    """An autoregressive model and its tokenizer."""

    model: GPT2LMHeadModel
    tokenizer: PreTrainedTokenizerBase
    end: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge says of samples.

    perplexity: exp(nll). nll: nats a token, over all counted tokens. entropy: unigram entropy of a sample in
    nats, the mean. samples, tokens: how many were counted.
    """

    perplexity: float
    nll: float
    entropy: float
    samples: int
    tokens: int


def load_judge(folder: Path | None = None, device: str = "cpu") -> Judge:
    """Return GPT-2 large from the hub's cache at its pinned commit, or any GPT-2 from a folder; in fp32.

    Raises:
        HubError: it was not fetched. ModelLoadError: its tokenizer cannot be read.
    """
    from transformers import GPT2LMHeadModel

    from xpflow.models.load import load_tokenizer

    place = folder or local_snapshot(GPT2_LARGE)
    model = GPT2LMHeadModel.from_pretrained(
        place, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    tokenizer = load_tokenizer(place)
    end = model.config.eos_token_id
    assert isinstance(end, int)
    model.train(False)
    model.to(device)  # type: ignore[arg-type]
    return Judge(model, tokenizer, end)


def judged(
    judge: Judge,
    texts: Sequence[str],
    ids: Sequence[Sequence[int]] | None = None,
    length: int = 1024,
    batch: int = 8,
) -> Judged:
    """Return perplexity and entropy of samples.

    Args:
        texts: what the judge reads. ids: the tokens of the model that made them, for the entropy; without,
        it is that of the judge's tokens. length: tokens of a sample at most; the judge has 1,024 places.

    Raises:
        DataError: there is no sample with two tokens.
    """
    read = [tokens[:length] for tokens in judge.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
    total, count = 0.0, 0
    for start in range(0, len(read), batch):
        nll_BL, counted_BL = _nll(judge, read[start : start + batch])
        total += float(nll_BL[counted_BL].double().sum())
        count += int(counted_BL.sum())
    if not count:
        raise DataError("no sample has a token to predict", hint="a sample needs two tokens or more")
    entropies = [unigram_entropy(tokens) for tokens in (read if ids is None else ids)]
    nll = total / count
    return Judged(math.exp(nll), nll, sum(entropies) / len(entropies), len(read), count)


def judged_files(judge: Judge, files: Sequence[Path], length: int = 1024) -> dict[str, dict[str, Any]]:
    """Return what a judge says of files of samples {text, ids, nfe}, by the files' names, with the mean NFE.

    Raises:
        DataError: a file has no samples, or rows without one of the three.
    """
    found = {}
    for file in files:
        rows = read_jsonl(file)
        if not rows or any(not {"text", "ids", "nfe"} <= row.keys() for row in rows):
            raise DataError(
                f"{file}: rows need text, ids and nfe", hint="`xpflow corpus sample` writes such files"
            )
        one = judged(judge, [row["text"] for row in rows], [row["ids"] for row in rows], length)
        found[file.stem] = {**asdict(one), "nfe": sum(row["nfe"] for row in rows) / len(rows)}
    return found


def unigram_entropy(ids: Sequence[int]) -> float:
    """Return the entropy in nats of the tokens that a sample consists of; 0 for one that says one thing."""
    counts = Counter(ids).values()
    return sum(count / len(ids) * math.log(len(ids) / count) for count in counts)


@torch.no_grad()
def _nll(judge: Judge, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return -log p of each row's tokens after its first, [B, L - 1], and which of them count."""
    longest = max(max(map(len, rows)), 2)
    ids_BL = torch.full((len(rows), longest), judge.end)
    real_BL = torch.zeros(len(rows), longest, dtype=torch.bool)
    for row, tokens in enumerate(rows):
        ids_BL[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
        real_BL[row, : len(tokens)] = True
    device = judge.model.device
    logits_BLV = judge.model(input_ids=ids_BL.to(device), attention_mask=real_BL.long().to(device)).logits
    log_p_BLV = logits_BLV[:, :-1].float().log_softmax(-1)
    nll_BL = -log_p_BLV.gather(-1, ids_BL[:, 1:, None].to(device)).squeeze(-1).cpu()
    ends_BL = ids_BL == judge.end
    first_BL = ends_BL & (ends_BL.cumsum(-1) == 1)
    return nll_BL, (real_BL & (~ends_BL | first_BL))[:, 1:]
