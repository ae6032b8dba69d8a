"""Mixtures of hidden Markov chains over the places of a sentence, and everything that is exact about them.

Legend: B sentences, L places, V words, S states, K components, j a step of the chain. Shapes are suffixes.

A component visits the places in an order of its own: `order_KL[k, j]` is the place of step j. Its state there
is s_j, with s_0 ~ initial and s_j ~ transition[s_{j-1}], and the word at that place is drawn from
emission[s_j]. The component itself is drawn first, with `weight_K`, and never seen. Plain hidden Markov
models have one component; a language whose first word says in which order the others form a Markov chain has
one for each such word.

All messages are normalised at every step and kept in float64, so nothing underflows at any length. A masked
place is a step without evidence, so every pattern of masks costs one forward-backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xpflow.errors import DataError

ROUNDING = 1e-9  # of rows that sum to 1


@dataclass(frozen=True, slots=True)
class Chains:
    """Weights [K], orders [K, L] (long), initial [K, S], transition [K, S, S], emission [K, S, V]; float64.

    Raises:
        DataError: a shape does not fit, an order is no permutation, or probabilities do not sum to 1.
    """

    weight_K: Tensor
    order_KL: Tensor
    initial_KS: Tensor
    transition_KSS: Tensor
    emission_KSV: Tensor

    def __post_init__(self) -> None:
        K, S = self.initial_KS.shape
        tables = (self.weight_K, self.initial_KS, self.transition_KSS, self.emission_KSV)
        if (
            self.weight_K.shape != (K,)
            or self.transition_KSS.shape != (K, S, S)
            or self.emission_KSV.shape[:2] != (K, S)
            or len(self.order_KL) != K
        ):
            raise DataError(f"chains: shapes do not fit: {[tuple(t.shape) for t in tables]}")
        if any(t.dtype != torch.float64 for t in tables):
            raise DataError("chains: probabilities are float64", hint="they are the floor of every number")
        for table in tables:
            if bool((table < 0).any()) or bool(((table.sum(-1) - 1).abs() > ROUNDING).any()):
                raise DataError("chains: probabilities are not negative and sum to 1 in every row")
        if not torch.equal(self.order_KL.sort(-1).values, torch.arange(self.length).expand(K, -1)):
            raise DataError("chains: an order names every place once")

    @property
    def length(self) -> int:
        """Return L."""
        return self.order_KL.shape[1]

    @property
    def size(self) -> int:
        """Return V."""
        return self.emission_KSV.shape[-1]

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw sentences, long [count, L]; `generator` lies on the CPU."""
        k_B = _draw(self.weight_K.expand(count, -1), generator)
        ids_BL = torch.empty(count, self.length, dtype=torch.long)
        rows_BS = self.initial_KS[k_B]
        for step in range(self.length):
            state_B = _draw(rows_BS, generator)
            rows_BS = self.transition_KSS[k_B, state_B]
            word_B = _draw(self.emission_KSV[k_B, state_B], generator)
            ids_BL.scatter_(1, self.order_KL[k_B, step][:, None], word_B[:, None])
        return ids_BL

    def pass_over(self, ids_BL: Tensor, open_BL: Tensor) -> Pass:
        """Run forward and backward over sentences of which only the words that are not open are seen.

        Args:
            ids_BL: long, [B, L]; what stands at open places does not matter. open_BL: bool.
        """
        seen_KSBL = self.emission_KSV[:, :, ids_BL.masked_fill(open_BL, 0)]
        seen_KSBL = seen_KSBL.masked_fill(open_BL, 1.0)
        order_KSBL = self.order_KL[:, None, None, :].expand_as(seen_KSBL)
        evidence_LKBS = seen_KSBL.gather(-1, order_KSBL).permute(3, 0, 2, 1).contiguous()
        forward, scales = [], []
        message_KBS = self.initial_KS[:, None, :] * evidence_LKBS[0]
        for step in range(self.length):
            if step:
                message_KBS = (message_KBS @ self.transition_KSS) * evidence_LKBS[step]
            scale_KB = message_KBS.sum(-1)
            message_KBS = message_KBS / _nonzero(scale_KB)[..., None]
            forward.append(message_KBS)
            scales.append(scale_KB)
        scale_LKB, backward = torch.stack(scales), [torch.ones_like(message_KBS)]
        for step in range(self.length - 1, 0, -1):
            coming_KBS = evidence_LKBS[step] * backward[-1] / _nonzero(scale_LKB[step])[..., None]
            backward.append(coming_KBS @ self.transition_KSS.transpose(1, 2))
        return Pass(torch.stack(forward), torch.stack(backward[::-1]), evidence_LKBS, scale_LKB)

    def log_evidence(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return log p(words that are not open), [B] in nats; -inf where no sentence has them."""
        return self._log_joint(self.pass_over(ids_BL, open_BL)).logsumexp(0)

    def conditionals(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return p(x_i = v | words that are not open), [B, L, V]; at a place that is not open, its word.

        Rows whose seen words the language cannot have are NaN at open places: there is no such conditional.
        """
        found = self.pass_over(ids_BL, open_BL)
        share_KB = self._log_joint(found).softmax(0)
        p_LBV = torch.zeros(self.length, *ids_BL.shape[:1], self.size, dtype=torch.float64)
        for k, order_L in enumerate(self.order_KL):
            word_LBV = (found.forward_LKBS[:, k] * found.backward_LKBS[:, k]) @ self.emission_KSV[k]
            p_LBV.index_add_(0, order_L, share_KB[k][None, :, None].nan_to_num() * word_LBV)
        p_BLV = p_LBV.transpose(0, 1)
        p_BLV = p_BLV.masked_fill(share_KB.isnan().any(0)[:, None, None], torch.nan)
        words_BLV = torch.nn.functional.one_hot(ids_BL.masked_fill(open_BL, 0), self.size).double()
        return torch.where(open_BL[..., None], p_BLV, words_BLV)

    def entropy(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return H(open words | seen words), [B] in nats, exactly.

        H(words, path | seen) is a sum over the steps of the chain, and it is H(words | seen) where the words
        of a sentence tell its path (`tells_path`).

        Raises:
            DataError: several paths can give the same sentence, so the sum is none.
        """
        if not self.tells_path:
            raise DataError(
                "this language's words do not tell its states, so its entropy has no closed form",
                hint="xpflow.microtext.measure.entropy estimates it, with its standard error",
            )
        found = self.pass_over(ids_BL, open_BL)
        share_KB = self._log_joint(found).softmax(0)
        total_B = _entropy(share_KB.T)
        for k in range(len(self.weight_K)):
            total_B = total_B + share_KB[k] * self._path_entropy(found, k, open_BL[:, self.order_KL[k]])
        return total_B

    def _path_entropy(self, found: Pass, k: int, open_BL: Tensor) -> Tensor:
        """Return H(states, open words | seen words) of one component; `open_BL` in the chain's order."""
        state_LBS = found.forward_LKBS[:, k] * found.backward_LKBS[:, k]
        word_S = _entropy(self.emission_KSV[k])
        total_B = _entropy(state_LBS[0]) + ((state_LBS @ word_S) * open_BL.T).sum(0)
        for j in range(1, self.length):
            coming_BS = found.evidence_LKBS[j, k] * found.backward_LKBS[j, k]
            coming_BS = coming_BS / _nonzero(found.scale_LKB[j, k])[:, None]
            pair_BSS = found.forward_LKBS[j - 1, k][:, :, None] * self.transition_KSS[k] * coming_BS[:, None]
            total_B = total_B + _entropy(pair_BSS.flatten(1)) - _entropy(state_LBS[j - 1])
        return total_B

    @property
    def tells_path(self) -> bool:
        """Return whether a whole sentence has one component and one path of states.

        True where the first step's word tells component and state (all components begin at one place), and
        every later word, with the state before it, tells the next state.
        """
        words_KSV = (self.emission_KSV > 0).double()
        first_NV = words_KSV[(self.initial_KS > 0) & (self.weight_K > 0)[:, None]]
        if bool((first_NV.sum(0) > 1).any()) or bool((self.order_KL[:, 0] != self.order_KL[0, 0]).any()):
            return False
        return not bool((((self.transition_KSS > 0).double() @ words_KSV) > 1).any())

    def _log_joint(self, found: Pass) -> Tensor:
        """Return log p(component, seen words), [K, B]."""
        return self.weight_K.log()[:, None] + found.scale_LKB.log().sum(0)


@dataclass(frozen=True, slots=True)
class Pass:
    """What forward and backward found, by step of the chain: forward x backward is p(state | seen words).

    `evidence` is p(seen word | state), `scale` p(seen word of the step | seen words of the steps before it).
    """

    forward_LKBS: Tensor
    backward_LKBS: Tensor
    evidence_LKBS: Tensor
    scale_LKB: Tensor


def _nonzero(scale: Tensor) -> Tensor:
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def _entropy(p: Tensor) -> Tensor:
    """Return the entropy of the last axis in nats."""
    found: Tensor = torch.special.entr(p).sum(-1)
    return found


def _draw(p_BN: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one index of each row by its cumulative sum, which every version of torch does alike."""
    cut_B1 = torch.rand(len(p_BN), 1, generator=generator, dtype=torch.float64)
    total_BN = p_BN.cumsum(-1)
    index_B = (total_BN <= cut_B1 * total_BN[:, -1:]).sum(-1)
    return index_B.clamp(max=p_BN.shape[1] - 1)
