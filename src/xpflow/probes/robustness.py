"""How models read text that is partly wrong: fixed and kept tokens, accuracy against s, context.

All of it is one forward over answers of which nothing is masked but where it says so. Of every answer its
tokens up to the first EOS count. Which places are wrong, and what stands there, depends on the seed and the
answer's number alone: the same for every model and reader, near tokens where they are given one table.
Legend: B rows, K places read, V vocabulary, E embedding width.

    uniform  a wrong token drawn from those that a model may predict
    near     one of the nearest embeddings, which are more like a model's own mistakes

Fixing and keeping belong together: a model that changes much fixes much. `net` is fixed less broken tokens,
per 100 tokens (DSL-LLaDA, arXiv 2606.01024, has the two shares).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from xpflow.continuous.codes import noisy_code
from xpflow.continuous.converter import Converter
from xpflow.decoding.canvas import model_facts
from xpflow.decoding.decode import batches
from xpflow.decoding.tokens import suppress
from xpflow.errors import ConfigError
from xpflow.noise import OneMask
from xpflow.training.corruption import Corrupted, laid_out
from xpflow.training.examples import Batch, Example
from xpflow.training.objectives.uniform_and_masked import own_evidence, uniform_noise

Wrong = Literal["uniform", "near"]
Read = Callable[[Corrupted], Tensor]  # from a batch, corrupted or not, to logits [B, K, V]
NEAREST = 5  # tokens that a near one is drawn from
ROWS = 1024  # tokens whose distances to the whole vocabulary are held at a time


@dataclass(frozen=True, slots=True)
class Texts:
    """Answers to read, what stands at wrong places, and how many answers a forward has.

    table_VE: embeddings that say which tokens are near; None: the model's own, which training moves.
    """

    examples: Sequence[Example]
    kind: Wrong = "uniform"
    seed: int = 0
    size: int = 32
    table_VE: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Hits:
    """Places that were asked about, and those that were read rightly."""

    asked: int
    right: int


@dataclass(frozen=True, slots=True)
class Robustness:
    """Counts of one share of wrong tokens: of places that were corrupted and fixed, and clean and kept."""

    corrupted: int = 0
    fixed: int = 0
    clean: int = 0
    kept: int = 0

    @property
    def fixed_share(self) -> float:
        """Return the share of wrong tokens that the reading mends; NaN of none."""
        return self.fixed / self.corrupted if self.corrupted else float("nan")

    @property
    def kept_share(self) -> float:
        """Return the share of right tokens that the reading leaves; NaN of none."""
        return self.kept / self.clean if self.clean else float("nan")

    @property
    def net(self) -> float:
        """Return fixed less broken tokens, per 100."""
        return 100 * (self.fixed - (self.clean - self.kept)) / (self.corrupted + self.clean)

    def __add__(self, other: Robustness) -> Robustness:
        """Return the counts of both."""
        return Robustness(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def plain_reader(model: Any) -> Read:
    """Return a reader of ids, as the model embeds them."""

    def read(batch: Corrupted) -> Tensor:
        logits: Tensor = model(**batch.inputs).logits
        return logits

    return torch.no_grad()(read)


def code_reader(model: Any, converter: Converter, snr: float) -> Read:
    """Return a reader of the response's ids by their codes, z = s e(v) without noise; a mask has z = 0.

    snr: s, of which `converter.snr_max` is the largest. It says how far the text is trusted, and is chosen on
    validation data.
    """
    noise = model_facts(model).noise

    def read(batch: Corrupted) -> Tensor:
        z_BKC = snr * converter.codes[batch.ids_BK]
        z_BKC = z_BKC.masked_fill(noise.is_open(batch.ids_BK)[..., None], 0.0)
        return _read_codes(model, converter, batch, z_BKC)

    return torch.no_grad()(read)


def evidence_reader(model: Any, alpha: float, uniform: float, read: Read | None = None) -> Read:
    """Return a reader that adds what a place itself holds to what the others say of it.

    For models by the bound of `uniform_and_masked`, which leave a place's own token out. alpha: the share of
    clean tokens that the reader reckons with. uniform: k of that objective. read: whose logits; none: plain.
    """
    config, first = model.config, read or plain_reader(model)

    def complete(batch: Corrupted) -> Tensor:
        logits_BKV = first(batch)
        pi_V = uniform_noise(int(config.vocab_size), int(config.mask_token_id), uniform, logits_BKV)
        log_p_BKV = suppress(logits_BKV.float(), [int(config.mask_token_id)]).log_softmax(-1)
        return own_evidence(log_p_BKV, batch.ids_BK, alpha, pi_V)

    return complete


def wrong_tokens(
    ids: Tensor, kind: Wrong, allowed: Tensor, table_VE: Tensor, generator: torch.Generator
) -> Tensor:
    """Draw another token for every id, [n]: from all of `allowed` (ids, rising), or the nearest of them."""
    if kind == "uniform":
        at = torch.searchsorted(allowed, ids).clamp(max=len(allowed) - 1)
        is_own = allowed[at] == ids
        drawn = (torch.rand(ids.shape, generator=generator) * (len(allowed) - is_own.long())).long()
        return allowed[drawn + (is_own & (drawn >= at))]
    count, found = min(NEAREST, len(allowed) - 1), [ids[:0]]
    for part in torch.split(ids, ROWS):
        distance = torch.cdist(table_VE[part].float(), table_VE[allowed].float())
        distance[part[:, None] == allowed] = torch.inf
        near = allowed[distance.topk(count, largest=False).indices]
        which = torch.randint(count, part.shape, generator=generator)
        found.append(near.gather(1, which[:, None])[:, 0])
    return torch.cat(found)


def robustness(model: Any, texts: Texts, share: float, read: Read) -> Robustness:
    """Return what a reader makes of answers with a share of wrong tokens (rounded, one at least)."""
    return sum(robustness_each(model, texts, share, read), start=Robustness())


def robustness_each(model: Any, texts: Texts, share: float, read: Read) -> list[Robustness]:
    """Return the same for each answer, in the order of the examples."""
    found: dict[int, Robustness] = {}
    for numbers, clean, order_BK, wrong_BK, counts_BK in _batches(model, texts):
        length_B = counts_BK.sum(-1)
        bad_BK = order_BK < (share * length_B).round().clamp(min=1)[:, None]
        batch = clean.reading(torch.where(bad_BK, wrong_BK, clean.target_BK), bad_BK)
        right_BK = _best(model, read(batch)) == clean.target_BK
        good_BK = counts_BK & ~bad_BK
        parts = (bad_BK, bad_BK & right_BK, good_BK, good_BK & right_BK)
        counts_B4 = torch.stack([part.sum(-1) for part in parts], dim=-1).tolist()
        found |= {number: Robustness(*row) for number, row in zip(numbers, counts_B4, strict=True)}
    return [found[number] for number in range(len(texts.examples))]


def context_accuracy(model: Any, texts: Texts, masks: float, share: float, read: Read | None = None) -> float:
    """Return the share of masked tokens that are read rightly where a share of the others is wrong."""
    return _share(context_each(model, texts, masks, share, read))


def context_each(
    model: Any, texts: Texts, masks: float, share: float, read: Read | None = None
) -> list[Hits]:
    """Return how many masks of each answer are read rightly where a share of its other tokens is wrong.

    Args:
        masks: share of an answer that is masked. read: a reader of ids; none: the plain one.

    Raises:
        ConfigError: the model has no single mask token.
    """
    noise = model_facts(model).noise
    if not isinstance(noise, OneMask):
        raise ConfigError("context needs a model with one mask token", hint="probe another model")
    read = read or plain_reader(model)
    found: dict[int, Hits] = {}
    for numbers, clean, order_BK, wrong_BK, counts_BK in _batches(model, texts):
        length_B = counts_BK.sum(-1)
        masked_B = (masks * length_B).round().clamp(min=1)
        bad_B = (share * (length_B - masked_B)).round()
        mask_BK = order_BK < masked_B[:, None]
        bad_BK = (order_BK < (masked_B + bad_B)[:, None]) & ~mask_BK
        ids_BK = torch.where(bad_BK, wrong_BK, clean.target_BK).masked_fill(mask_BK, noise.id)
        found_BK = _best(model, read(clean.reading(ids_BK, mask_BK)))
        found |= _hits(numbers, mask_BK, found_BK == clean.target_BK)
    return [found[number] for number in range(len(texts.examples))]


def accuracy_at(model: Any, texts: Texts, converter: Converter, snr: float) -> float:
    """Return the share of tokens read rightly when all are seen as z = s e(x) + sqrt(s) noise at one s.

    The noise is the same for every s and model of the same texts and width of codes.
    """
    return _share(accuracy_each(model, texts, converter, snr))


def accuracy_each(model: Any, texts: Texts, converter: Converter, snr: float) -> list[Hits]:
    """Return how many tokens of each answer are read rightly at one s."""
    found: dict[int, Hits] = {}
    generator = torch.Generator().manual_seed(texts.seed)
    width = converter.codes.shape[1]
    for numbers, clean, _, _, counts_BK in _batches(model, texts):
        noise_BKC = torch.randn(*clean.target_BK.shape, width, generator=generator).to(converter.codes)
        snr_BK = torch.full_like(clean.target_BK, 1, dtype=converter.codes.dtype) * snr
        z_BKC = noisy_code(converter.codes, clean.target_BK, snr_BK, noise_BKC)
        with torch.no_grad():
            found_BK = _best(model, _read_codes(model, converter, clean, z_BKC))
        found |= _hits(numbers, counts_BK, found_BK == clean.target_BK)
    return [found[number] for number in range(len(texts.examples))]


def _share(hits: Sequence[Hits]) -> float:
    return sum(one.right for one in hits) / sum(one.asked for one in hits)


def _hits(numbers: Sequence[int], asked_BK: Tensor, right_BK: Tensor) -> dict[int, Hits]:
    asked_B, right_B = asked_BK.sum(-1).tolist(), (right_BK & asked_BK).sum(-1).tolist()
    return {number: Hits(*one) for number, *one in zip(numbers, asked_B, right_B, strict=True)}


def _read_codes(model: Any, converter: Converter, batch: Corrupted, z_BKC: Tensor) -> Tensor:
    """Run one forward with converted codes in the response and embeddings elsewhere."""
    inputs = dict(batch.inputs)
    whole_BSE = model.get_input_embeddings()(inputs.pop("input_ids"))
    places_BK = inputs["logits_positions_BN"]
    plain_BKE = whole_BSE.gather(1, places_BK[..., None].expand(*places_BK.shape, whole_BSE.shape[-1]))
    read_BKE = torch.where(batch.response_BK[..., None], converter(z_BKC).to(plain_BKE.dtype), plain_BKE)
    mixed_BSE = whole_BSE.scatter(1, places_BK[..., None].expand_as(read_BKE), read_BKE)
    logits: Tensor = model(inputs_embeds=mixed_BSE, **inputs).logits
    return logits


def _best(model: Any, logits_BKV: Tensor) -> Tensor:
    """Return the best tokens but masks and others that are never an answer."""
    facts = model_facts(model)
    return suppress(logits_BKV, sorted({*facts.noise.ids, *facts.suppress_ids})).argmax(-1)


def _batches(model: Any, texts: Texts) -> Iterator[tuple[list[int], Corrupted, Tensor, Tensor, Tensor]]:
    """Yield batches: numbers, clean sequences, a random order of places, wrong tokens, what counts."""
    facts = model_facts(model)
    able_V = torch.ones(facts.vocabulary, dtype=torch.bool)
    able_V[[*facts.noise.ids, *facts.suppress_ids, facts.eos_id, facts.pad_id]] = False
    own_VE = model.get_input_embeddings().weight.detach()
    allowed, table_VE = able_V.nonzero()[:, 0], (own_VE if texts.table_VE is None else texts.table_VE).cpu()
    examples = texts.examples
    for numbers in batches([[*one.prompt, *one.response] for one in examples], texts.size):
        clean = laid_out(Batch.of([examples[number] for number in numbers], facts.pad_id), model)
        counts_BK = _counted(clean, facts.eos_id)
        order_BK = torch.full(clean.target_BK.shape, clean.target_BK.shape[1])
        wrong_BK = clean.target_BK.clone()
        for row, number in enumerate(numbers):
            generator = torch.Generator().manual_seed(texts.seed * 1_000_003 + number)
            places = counts_BK[row].nonzero()[:, 0]
            order_BK[row, places] = torch.randperm(len(places), generator=generator)
            wrong_BK[row, places] = wrong_tokens(
                clean.target_BK[row, places], texts.kind, allowed, table_VE, generator
            )
        whole, on = clean.take(list(range(len(numbers))), facts.device), facts.device
        yield list(numbers), whole, order_BK.to(on), wrong_BK.to(on), counts_BK.to(on)


def _counted(clean: Corrupted, eos_id: int) -> Tensor:
    """Return the places of answers up to their first EOS, that included."""
    ends_BK = (clean.target_BK == eos_id) & clean.response_BK
    return clean.response_BK & (ends_BK.cumsum(-1) - ends_BK.long() == 0)
