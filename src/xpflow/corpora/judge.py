"""Generative perplexity: what GPT-2 large says of samples, and the entropy without which it says little.

As in MDLM's evaluation: a sample's text is tokenized anew by the judge, cut at its length, and every token is
predicted from those before it; tokens that end a text count once, the first of a sample, and padding never.
The perplexity is that of all tokens together. A model that repeats itself is cheap to predict, so the unigram
entropy of its samples stands beside it (nats, the mean over samples): repetition has little.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from xpflow.artifacts.io import read_jsonl, whole_text
from xpflow.corpora.judge_repo import GPT2_LARGE
from xpflow.errors import ConfigError, DataError, ModelLoadError
from xpflow.hub.repo import local_snapshot
from xpflow.models.stored import read_json

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerBase

ANOTHER = "fetch it again, or name the folder of a whole GPT-2"
LARGEST = 700.0  # nats a token: exp of more is no number


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
        HubError: it was not fetched. ModelLoadError: it is no whole GPT-2 with finite weights, its tokenizer
        cannot be read, or there is no such device.
    """
    from xpflow.models.device import memory_of, named_device
    from xpflow.models.load import load_tokenizer

    chosen = named_device(device)
    memory_of(chosen)
    place = folder or local_snapshot(GPT2_LARGE)
    model, tokenizer = _gpt2(place), load_tokenizer(place)
    end, words = model.config.eos_token_id, model.config.vocab_size
    if not isinstance(end, int) or not len(tokenizer) <= words:
        raise ModelLoadError(
            f"{place}: {len(tokenizer)} tokens, {words} rows of weights, end of text {end}: they do not fit",
            hint="tokenizer and weights of a judge come from one repository",
        )
    model.train(False)
    model.to(chosen)  # type: ignore[arg-type]
    return Judge(model, tokenizer, end)


def require_judge(place: Path) -> None:
    """Raise ModelLoadError unless a folder holds a GPT-2, by its config.json."""
    kind = read_json(place / "config.json").get("model_type")
    if kind != "gpt2":
        raise ModelLoadError(f"{place} holds a {kind!r}, and samples are judged by a gpt2", hint=ANOTHER)


def _gpt2(place: Path) -> GPT2LMHeadModel:
    """Return the GPT-2 of a folder; what is left out of its file would be drawn at random, unsaid."""
    from transformers import GPT2LMHeadModel

    require_judge(place)
    try:
        loaded: Any = GPT2LMHeadModel.from_pretrained(
            place,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        model, about = cast("tuple[GPT2LMHeadModel, dict[str, Any]]", loaded)
    except Exception as error:  # transformers and safetensors raise of many kinds
        said = str(error).partition("\n")[0]
        raise ModelLoadError(f"{place}: the judge cannot be read: {said:.200}", hint=ANOTHER) from error
    if lacking := sorted(about["missing_keys"]):
        raise ModelLoadError(f"{place}: missing tensor {lacking[0]} ({len(lacking)} in all)", hint=ANOTHER)
    for name, weight in model.named_parameters():
        if not bool(weight.isfinite().all()):
            raise ModelLoadError(f"{place}: tensor {name} holds NaN or infinity", hint=ANOTHER)
    return model


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
        it is that of the judge's tokens. length: tokens of a sample at most; GPT-2 has 1,024 places.

    Raises:
        ConfigError: a sample is longer than the judge's places. DataError: there is no sample with two
        tokens, or what the judge says of them is no number.
    """
    whole = [whole_text(one) for one in texts]
    read = [tokens[:length] for tokens in judge.tokenizer(whole, add_special_tokens=False)["input_ids"]]
    longest, places = max(map(len, read), default=0), judge.model.config.n_positions
    if longest > places:
        raise ConfigError(
            f"a sample has {longest} tokens, and the judge {places} places",
            hint="judge fewer tokens of each (`--length`), or by a longer GPT-2",
        )
    total, count = 0.0, 0
    for start in range(0, len(read), batch):
        nll_BL, counted_BL = _nll(judge, read[start : start + batch])
        total += float(nll_BL[counted_BL].double().sum())
        count += int(counted_BL.sum())
    if not count:
        raise DataError("no sample has a token to predict", hint="a sample needs two tokens or more")
    entropies = [unigram_entropy(tokens) for tokens in (read if ids is None else ids)]
    nll = total / count
    if not nll <= LARGEST:
        raise DataError(f"the judge says {nll} nats a token: that is no perplexity", hint="is it whole?")
    return Judged(math.exp(nll), nll, sum(entropies) / len(entropies), len(read), count)


def judged_files(judge: Judge, files: Sequence[Path], length: int = 1024) -> dict[str, dict[str, Any]]:
    """Return what a judge says of files of samples {text, ids, nfe}, by the files' names, with the mean NFE.

    Raises:
        DataError: a file has no samples, or rows without one of the three.
    """
    found = {}
    for file in files:
        rows = read_samples(file, ("text", "ids", "nfe"))
        one = judged(judge, [row["text"] for row in rows], [row["ids"] for row in rows], length)
        found[file.stem] = {**asdict(one), "nfe": sum(row["nfe"] for row in rows) / len(rows)}
    return found


def read_samples(file: Path, needed: Sequence[str] = ("text",)) -> list[dict[str, Any]]:
    """Return the rows of a file of samples, {text, ids?, nfe?}; raises DataError that names a wrong one."""
    rows = read_jsonl(file)
    hint = "`xpflow text sample` and `xpflow corpus sample` write such files"
    if not rows:
        raise DataError(f"{file} has no rows", hint=hint)
    for number, row in enumerate(rows, start=1):
        for key in needed:
            if key not in row:
                raise DataError(f"{file}, row {number}: no {key!r}", hint=hint)
        for key, right in _COLUMNS.items():
            if key in row and not right(row[key]):
                raise DataError(f"{file}, row {number}: {key!r} is {row[key]!r:.60}", hint=hint)
    return rows


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_COLUMNS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "ids": lambda value: isinstance(value, list) and all(map(_is_count, value)),
    "nfe": lambda value: isinstance(value, int | float) and 0 <= value < math.inf,
}


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
