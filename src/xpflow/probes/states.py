"""Mixed states between the mask and a token, and where a state lies: pure functions of embeddings.

Legend: m mask embedding, e(v) embedding of token v, t progress, x state; P places, E width, V vocabulary.
    linear:     x = (1 - t) m + t e(v)                                     (Eq. 3 of the paper)
    spherical:  the direction that lies t of the angle from m to e(v), of length (1 - t) |m| + t |e(v)|
Deviation: the decoders' spherical mixture keeps |m| (`decoding.axes.feedback`); here the length moves too, so
that both geometries end at the token itself and differ only on the way.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xpflow.decoding.axes.feedback import mixture
from xpflow.study.config.probes import MixGeometry

ROWS = 64  # places whose distances to the whole vocabulary are held at a time


def mixed_state(m_E: Tensor, token_PE: Tensor, t: float, geometry: MixGeometry = "linear") -> Tensor:
    """Return x `[P, E]` at one t: exactly m at t = 0, exactly the token at t = 1."""
    if t == 1.0:
        return token_PE
    m_PE, t_P = m_E.expand_as(token_PE), torch.full_like(token_PE[..., 0], t)
    x_PE = mixture(m_PE, token_PE, t_P, geometry)
    if geometry == "linear":
        return x_PE
    size_P1 = m_PE.norm(dim=-1, keepdim=True)
    wanted_P1 = torch.lerp(size_P1, token_PE.norm(dim=-1, keepdim=True), t)
    found_PE: Tensor = x_PE * (wanted_P1 / size_P1)
    return found_PE


def angle(a_PE: Tensor, b_PE: Tensor) -> Tensor:
    """Return the angle between two embeddings in degrees, `[P]`; 0 where one of them is 0."""
    a_PE, b_PE = a_PE.double(), b_PE.double()
    a_PE, b_PE = (x / x.norm(dim=-1, keepdim=True).clamp(min=1e-300) for x in (a_PE, b_PE))
    # 2 atan2(|a - b|, |a + b|): exact for small angles, where arccos is not
    return torch.rad2deg(2 * torch.atan2((a_PE - b_PE).norm(dim=-1), (a_PE + b_PE).norm(dim=-1)))


def nearest_rank(x_PE: Tensor, ids_P: Tensor, table_VE: Tensor, hidden: list[int]) -> Tensor:
    """Return how many tokens lie nearer to a state than the one that was mixed in, `[P]`: 0 at t = 1.

    hidden: ids that do not count, the mask among them.
    """
    found = []
    for start in range(0, len(ids_P), ROWS):
        x_KE, ids_K = x_PE[start : start + ROWS], ids_P[start : start + ROWS]
        # by differences: products would leave a distance of 0 some way from 0
        far_KV = torch.cdist(x_KE, table_VE, compute_mode="donot_use_mm_for_euclid_dist")
        own_K1 = far_KV.gather(1, ids_K[:, None])
        far_KV[:, hidden] = torch.inf
        found.append((far_KV < own_K1).sum(-1))
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.long)


def logit_rank(logits_PV: Tensor, ids_P: Tensor) -> Tensor:
    """Return how many tokens have a larger logit than a given one, `[P]`: 0 where it is the best."""
    return (logits_PV > logits_PV.gather(1, ids_P[:, None])).sum(-1)


def segment_distance(x_PE: Tensor, m_E: Tensor, end_PE: Tensor) -> Tensor:
    """Return the distance of a state from the segment m .. e(end), in lengths of that segment, `[P]`.

    0 for x = (1 - s) m + s e(end) with any s in [0, 1]. A segment without length counts as one of length 1.
    """
    x_PE, m_E, end_PE = (value.double() for value in (x_PE, m_E, end_PE))
    along_PE, from_PE = end_PE - m_E, x_PE - m_E
    square_P = (along_PE**2).sum(-1)
    square_P = torch.where(square_P == 0, torch.ones_like(square_P), square_P)
    s_P1 = ((from_PE * along_PE).sum(-1) / square_P).clamp(0.0, 1.0)[..., None]
    distance_P: Tensor = (from_PE - s_P1 * along_PE).norm(dim=-1)
    return distance_P / square_P.sqrt()
