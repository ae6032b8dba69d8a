"""The diffusion transformer again, written plainly: one row, one head and one token at a time.

It shares no code with the package. Input: a state dict, a configuration, embeddings [S, D] of one row and a
boolean [S, S] table of who sees whom. Output: logits [S, V]. `exact` computes in float64 throughout.
`autocast` rounds where the published model does in bf16: every projection's input, weight, bias and output,
1 + scale, cos and sin, the rotated heads and what attention returns. Norms, residual stream and the time's
net are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]
Round = Callable[[Tensor], Tensor]


def exact(state: State, config: Any, x: Tensor, sees: Tensor) -> Tensor:
    """Run the model in float64."""
    return _logits(state, config, x, sees, lambda value: value)


def autocast(state: State, config: Any, x: Tensor, sees: Tensor) -> Tensor:
    """Run the model with the roundings of bf16."""
    return _logits(state, config, x, sees, lambda value: value.to(torch.bfloat16).double())


def _logits(state: State, config: Any, x: Tensor, sees: Tensor, near: Round) -> Tensor:
    w = {name.removeprefix("backbone."): value.double() for name, value in state.items()}
    x, width = x.double(), config.hidden_dim // config.n_heads
    time = _silu(_time(w))
    for i in range(config.n_blocks):
        b = {n.removeprefix(f"blocks.{i}."): v for n, v in w.items() if n.startswith(f"blocks.{i}.")}
        shift1, scale1, gate1, shift2, scale2, gate2 = _linear(b, "adaLN_modulation", time, near).view(6, -1)
        h = _norm(x, b["norm1.weight"]) * near(1 + scale1) + shift1
        qkv = near(near(h) @ near(b["attn_qkv.weight"]).T)
        heads = []
        for head in range(config.n_heads):
            at = [part * config.hidden_dim + head * width for part in range(3)]
            q, k, v = (qkv[:, start : start + width] for start in at)
            heads.append(near(_attention(near(_turn(q, near)), near(_turn(k, near)), v, sees)))
        out = near(torch.cat(heads, 1) @ near(b["attn_out.weight"]).T)
        x = x + near(gate1 * out)
        h = _norm(x, b["norm2.weight"]) * near(1 + scale2) + shift2
        inner = near(_gelu(_linear(b, "mlp.0", h, near)))
        x = x + near(gate2 * _linear(b, "mlp.2", inner, near))
    last = {n.removeprefix("output_layer."): v for n, v in w.items() if n.startswith("output_layer.")}
    shift, scale = _linear(last, "adaLN_modulation", time, near).view(2, -1)
    return _linear(last, "linear", _norm(x, last["norm_final.weight"]) * near(1 + scale) + shift, near)


def _time(w: State) -> Tensor:
    """Return what the net of the time says at time 0: cosines of 0 first, then sines of 0."""
    waves = torch.tensor([math.cos(0.0)] * 128 + [math.sin(0.0)] * 128, dtype=torch.float64)
    first = waves @ w["sigma_map.mlp.0.weight"].T + w["sigma_map.mlp.0.bias"]
    return _silu(first) @ w["sigma_map.mlp.2.weight"].T + w["sigma_map.mlp.2.bias"]


def _linear(b: State, name: str, x: Tensor, near: Round) -> Tensor:
    return near(near(x) @ near(b[f"{name}.weight"]).T + near(b[f"{name}.bias"]))


def _attention(q: Tensor, k: Tensor, v: Tensor, sees: Tensor) -> Tensor:
    out = []
    for i in range(len(q)):
        seen = sees[i].nonzero().flatten()
        score = k[seen] @ q[i] / q.shape[1] ** 0.5
        weight = torch.exp(score - score.max())
        out.append(weight / weight.sum() @ v[seen])
    return torch.stack(out)


def _turn(x: Tensor, near: Round) -> Tensor:
    out, half = x.clone(), x.shape[1] // 2
    for position in range(len(x)):
        for pair in range(half):
            angle = position / 10_000 ** (2 * pair / x.shape[1])
            cos, sin = (near(torch.tensor(f(angle), dtype=torch.float64)) for f in (math.cos, math.sin))
            a, b = x[position, pair], x[position, pair + half]
            out[position, pair], out[position, pair + half] = a * cos - b * sin, b * cos + a * sin
    return out


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight


def _gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))
