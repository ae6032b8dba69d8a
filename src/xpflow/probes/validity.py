"""Validity: how a model reads answers in which some places hold a mixture and the others a mask.

Of every answer (up to its first EOS) a share of the places is mixed, x = (1 - t) m + t e(v), with the true
token v ("oracle") or a wrong one ("wrong"); the other places, and all behind the EOS, are plain masks. Read
are the mixed places and, apart, the masks beside them: what a mixture tells about its own place, and about
others. At t = 0 all is masked, at t = 1 the mixed places hold plain tokens.

Which places are mixed and which wrong tokens stand there depends on the run's seed and the task's id alone:
the same for every t, geometry and weights. Wrong tokens are uniform over the vocabulary, so they are easier
to notice than a model's own mistakes; these are what `recovery` looks at. Legend: B rows, K places read, P
places of one kind, N response tokens, E width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xpflow.decoding.canvas import ModelFacts, model_facts
from xpflow.decoding.decode import batches
from xpflow.decoding.samples import row_seed
from xpflow.decoding.tokens import suppress
from xpflow.errors import ConfigError
from xpflow.noise import OneMask
from xpflow.probes.states import angle, logit_rank, mixed_state, nearest_rank
from xpflow.stats.calibration import sparse, tally
from xpflow.study.config.probes import ProbesBlock
from xpflow.training.corruption import laid_out
from xpflow.training.examples import Batch, Example

TOKENS = ("oracle", "wrong")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """A task and the answer whose states are read."""

    task_id: str
    example: Example


@dataclass(frozen=True, slots=True)
class Draw:
    """What a subject's states are made of, `[N]` each: mixed places, masks that are read, wrong tokens."""

    mixed_N: Tensor
    beside_N: Tensor
    wrong_N: Tensor


def answer_length(response: Sequence[int], eos_id: int) -> int:
    """Return how many tokens of a response count: up to its first EOS, that included."""
    ids = list(response)
    return ids.index(eos_id) + 1 if eos_id in ids else len(ids)


def draw(subject: Subject, share: float, facts: ModelFacts, hidden: Sequence[int], seed: int) -> Draw:
    """Return the mixed places of an answer (one at least, never all) and a wrong token for each place."""
    response = torch.tensor(subject.example.response)
    generator = torch.Generator().manual_seed(row_seed(seed, subject.task_id))
    length = answer_length(subject.example.response, facts.eos_id)
    order = torch.randperm(length, generator=generator)
    count = min(max(1, round(share * length)), max(1, length - 1))
    mixed_N = torch.zeros(len(response), dtype=torch.bool)
    mixed_N[order[:count]] = True
    beside_N = (torch.arange(len(response)) < length) & ~mixed_N
    allowed = torch.ones(facts.vocabulary, dtype=torch.bool)
    allowed[list(hidden)] = False
    ids = allowed.nonzero()[:, 0]
    places = torch.randint(len(ids) - 1, (len(response),), generator=generator)
    # drawn among all but the true token: those from its place on move up by one
    places = places + (ids[places] >= response)
    return Draw(mixed_N, beside_N, ids[places])


def validity_rows(
    model: Any,
    subjects: Sequence[Subject],
    block: ProbesBlock,
    hidden: list[int],
    *,
    seed: int = 0,
    batch_size: int = 32,
    report: Callable[[int], None] | None = None,
) -> list[Row]:
    """Read all states of all subjects; returns a row for each subject, token, geometry and t.

    Args:
        hidden: ids that are never read, the mask among them.
        report: called with the number of subjects that are done.
    Returns:
        Rows {task_id, token, geometry, t, places, right, kept, nats, rank, nearest, nearest_first, norm,
        angle_mask, angle_token, tally} of the mixed places and {beside, beside_right, beside_nats} of the
        masks: counts, and means over places. right: the reading is the true token; kept: the one mixed in;
        nats: cross-entropy of the true token; rank: of the one mixed in among the logits; nearest: among the
        distances from the state; norm: |x| over the token's; angles in degrees; tally: see `sparse`.
    Raises:
        ConfigError: the model's noise is not one mask token.
    """
    facts = model_facts(model)
    table_VE = model.get_input_embeddings().weight.detach()
    if not isinstance(facts.noise, OneMask):
        raise ConfigError(
            "mixed states need a model with one mask token", hint="leave this place out of `probes`"
        )
    rows: dict[int, list[Row]] = {}
    lengths = [[*one.example.prompt, *one.example.response] for one in subjects]
    done = 0
    for numbers in batches(lengths, batch_size):
        chosen = [subjects[number] for number in numbers]
        draws = [draw(one, block.share, facts, hidden, seed) for one in chosen]
        canvas = _Canvas(model, facts, table_VE, chosen, draws)
        for token in TOKENS:
            for geometry in block.geometries:
                for t in block.t:
                    x_BKE = mixed_state(canvas.m_E, canvas.tokens(token), t, geometry)
                    logits_BKV = suppress(canvas.read(x_BKE), hidden)
                    for index, number in enumerate(numbers):
                        found = _row(canvas, index, x_BKE[index], logits_BKV[index], token, hidden)
                        names = {
                            "task_id": chosen[index].task_id,
                            "token": token,
                            "geometry": geometry,
                            "t": t,
                        }
                        rows.setdefault(number, []).append({**names, **found})
        done += len(numbers)
        if report is not None:
            report(done)
    return [row for number in sorted(rows) for row in rows[number]]


class _Canvas:
    """A batch of subjects, laid out as the model's architecture reads it, with states in place."""

    def __init__(
        self,
        model: Any,
        facts: ModelFacts,
        table_VE: Tensor,
        chosen: Sequence[Subject],
        draws: Sequence[Draw],
    ) -> None:
        self.model, self.table_VE = model, table_VE
        assert isinstance(facts.noise, OneMask)
        self.m_E = table_VE[facts.noise.id]
        clean = laid_out(Batch.of([one.example for one in chosen], facts.pad_id), model)
        response_BK = clean.response_BK
        place_BK = (response_BK.cumsum(-1) - 1).clamp(min=0)  # in the response
        columns = [
            torch.stack([getattr(one, name) for one in draws]) for name in ("mixed_N", "beside_N", "wrong_N")
        ]
        mixed_BK, beside_BK, wrong_BK = (one.gather(1, place_BK) for one in columns)
        on = facts.device
        self.true_BK, self.wrong_BK = clean.target_BK.to(on), wrong_BK.to(on)
        self.mixed_BK, self.beside_BK = (mixed_BK & response_BK).to(on), (beside_BK & response_BK).to(on)
        self.masked_BK = (response_BK & ~mixed_BK).to(on)
        self.inputs = {name: value.to(on) for name, value in clean.inputs.items()}

    def tokens(self, token: str) -> Tensor:
        """Return the embeddings of what is mixed in, `[B, K, E]`."""
        return self.table_VE[self.put(token)]

    def put(self, token: str) -> Tensor:
        """Return the ids of what is mixed in, `[B, K]`."""
        return self.true_BK if token == "oracle" else self.wrong_BK

    @torch.no_grad()
    def read(self, x_BKE: Tensor) -> Tensor:
        """Run one forward with states at the mixed places and masks beside them; returns `[B, K, V]`."""
        inputs = dict(self.inputs)
        ids_BS, positions_BK = inputs.pop("input_ids"), inputs["logits_positions_BN"]
        embeds_BSE = self.table_VE[ids_BS]
        clean_BKE = self.table_VE[self.true_BK]  # prompt tokens that share a block with the response
        here_BKE = torch.where(self.masked_BK[..., None], self.m_E, clean_BKE)
        here_BKE = torch.where(self.mixed_BK[..., None], x_BKE.to(clean_BKE.dtype), here_BKE)
        index_BKE = positions_BK[..., None].expand_as(here_BKE)
        output = self.model(inputs_embeds=embeds_BSE.scatter(1, index_BKE, here_BKE), **inputs)
        logits_BKV: Tensor = output.logits
        return logits_BKV


def _row(canvas: _Canvas, index: int, x_KE: Tensor, logits_KV: Tensor, token: str, hidden: list[int]) -> Row:
    """Return what was read of one subject."""
    mixed_K, beside_K = canvas.mixed_BK[index], canvas.beside_BK[index]
    true_K, put_K = canvas.true_BK[index], canvas.put(token)[index]
    log_p_PV = logits_KV[mixed_K].float().log_softmax(-1)
    c_P, ids_P = log_p_PV.max(-1)
    true_P, put_P, x_PE = true_K[mixed_K], put_K[mixed_K], x_KE[mixed_K].float()
    token_PE = canvas.table_VE[put_P].float()
    nearest_P = nearest_rank(x_PE, put_P, canvas.table_VE.float(), hidden)
    right_P = ids_P == true_P
    beside_PV = logits_KV[beside_K].float().log_softmax(-1)
    beside_true_P = true_K[beside_K]
    return {
        "places": len(put_P),
        "right": int(right_P.sum()),
        "kept": int((ids_P == put_P).sum()),
        "nats": _mean(-log_p_PV.gather(1, true_P[:, None])),
        "rank": _mean(logit_rank(log_p_PV, put_P)),
        "nearest": _mean(nearest_P),
        "nearest_first": int((nearest_P == 0).sum()),
        "norm": _mean(x_PE.norm(dim=-1) / token_PE.norm(dim=-1)),
        "angle_mask": _mean(angle(x_PE, canvas.m_E.float())),
        "angle_token": _mean(angle(x_PE, token_PE)),
        "tally": sparse(tally(c_P.exp().clamp(max=1.0).cpu().numpy(), right_P.cpu().numpy())),
        "beside": int(beside_K.sum()),
        "beside_right": int((beside_PV.argmax(-1) == beside_true_P).sum()),
        "beside_nats": _mean(-beside_PV.gather(1, beside_true_P[:, None])),
    }


def _mean(values: Tensor) -> float | None:
    """Return a mean to six digits; None of nothing."""
    return float(f"{values.double().mean():.6g}") if values.numel() else None
