"""How well one step makes places agree: exact sums over words, no sampling of sentences.

Legend: S draws of noise, L places, V words; p_i(v | e) a model's one-step probabilities, given noise e.

A sentence agrees where all its places have one word. In one step places are independent given the noise, so
agreement is E_e sum_v prod_i p_i(v | e). The yardstick is what the model's own marginals give without noise
in common, sum_v prod_i p_i(v): for a plain model both are equal, and no plain model can agree beyond it.
(V^(1 - L), the value for uniform marginals, is the least that equal marginals can have, and no ceiling.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one step does.

    agreement: P(all places agree), with its standard error over draws of noise; 0 where there was one, or
    all that there are. ceiling: sum_v prod_i p_i(v) of its own marginals. entropy: mean over
    places of a marginal's entropy, over log V. agreed_entropy: entropy of the word on which places agree,
    over log V; low where few words are ever agreed on (mode collapse). information: mean over places of
    I(noise; word) in nats, 0 for a plain model.
    """

    agreement: float
    standard_error: float
    ceiling: float
    entropy: float
    agreed_entropy: float
    information: float


def one_step(log_p_SLV: Tensor, every: bool = False) -> Agreement:
    """Measure a model by its log-probabilities at all-masked sentences, one for each draw of noise.

    Args:
        every: the draws are all noise that there is, each as likely: nothing is estimated.
    """
    log_SLV = log_p_SLV.double()
    size = log_SLV.shape[-1]
    log_marginal_LV = log_SLV.logsumexp(0) - torch.tensor(float(len(log_SLV))).double().log()
    word_SV = log_SLV.sum(1).exp()
    word_V, agreed_S = word_SV.mean(0), word_SV.sum(-1)
    agreed_V = word_V / word_V.sum().clamp(min=torch.finfo(torch.float64).tiny)
    marginal_L = torch.special.entr(log_marginal_LV.exp()).sum(-1)
    given_L = torch.special.entr(log_SLV.exp()).sum(-1).mean(0)
    unit = float(torch.tensor(float(size)).double().log()) if size > 1 else 1.0
    return Agreement(
        agreement=float(agreed_S.mean()),
        standard_error=0.0 if every or len(agreed_S) < 2 else float(agreed_S.std() / len(agreed_S) ** 0.5),
        ceiling=float(log_marginal_LV.sum(0).exp().sum()),
        entropy=float(marginal_L.mean()) / unit,
        agreed_entropy=float(torch.special.entr(agreed_V).sum()) / unit,
        information=float((marginal_L - given_L).mean()),
    )
