"""LLaDA, LLaDA2 and Dream again, written plainly in float64: one row, one head and one token at a time.

They share no code with the package. Input: a state dict, a configuration, embeddings [S, D] of one row and a
boolean [S, S] table of who sees whom. Output: logits [S, V].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]


def llada_logits(state: State, config: Any, x: Tensor, sees: Tensor) -> Tensor:
    """Run the dense model."""
    w = {name.removeprefix("model.transformer."): value.double() for name, value in state.items()}
    x = x.double()
    width = config.d_model // config.n_heads
    for i in range(config.n_layers):
        b = {n.removeprefix(f"blocks.{i}."): v for n, v in w.items() if n.startswith(f"blocks.{i}.")}
        h = _norm(x, b["attn_norm.weight"], config.rms_norm_eps)
        q, k, v = (h @ b[f"{name}_proj.weight"].T for name in "qkv")
        heads = []
        for head in range(config.n_heads):
            shared = head * (config.n_kv_heads or config.n_heads) // config.n_heads
            q1 = _turn(q[:, head * width : (head + 1) * width], width, config.rope_theta)
            k1 = _turn(k[:, shared * width : (shared + 1) * width], width, config.rope_theta)
            heads.append(_attention(q1, k1, v[:, shared * width : (shared + 1) * width], sees))
        x = x + torch.cat(heads, 1) @ b["attn_out.weight"].T
        h = _norm(x, b["ff_norm.weight"], config.rms_norm_eps)
        x = x + (_silu(h @ b["ff_proj.weight"].T) * (h @ b["up_proj.weight"].T)) @ b["ff_out.weight"].T
    return _norm(x, w["ln_f.weight"], config.rms_norm_eps) @ w["ff_out.weight"].T


def llada2_logits(state: State, config: Any, x: Tensor, sees: Tensor) -> Tensor:
    """Run the mixture-of-experts model."""
    w = {name.removeprefix("model."): value.double() for name, value in state.items()}
    x = x.double()
    for i in range(config.num_hidden_layers):
        layer = {n.removeprefix(f"layers.{i}."): v for n, v in w.items() if n.startswith(f"layers.{i}.")}
        h = _norm(x, layer["input_layernorm.weight"], config.rms_norm_eps)
        x = x + _llada2_attention(layer, config, h, sees) @ layer["attention.dense.weight"].T
        h = _norm(x, layer["post_attention_layernorm.weight"], config.rms_norm_eps)
        if i < config.first_k_dense_replace:
            x = x + _mlp(layer, "mlp.", h)
        else:
            x = x + torch.stack([_experts(layer, config, token) for token in h])
    return _norm(x, w["norm.weight"], config.rms_norm_eps) @ w["lm_head.weight"].T


def dream_logits(state: State, config: Any, x: Tensor, sees: Tensor) -> Tensor:
    """Run Dream; what stands at place i predicts token i, and was computed at place i - 1."""
    w = {name.removeprefix("model."): value.double() for name, value in state.items()}
    x = x.double()
    width = config.hidden_size // config.num_attention_heads
    for i in range(config.num_hidden_layers):
        b = {n.removeprefix(f"layers.{i}."): v for n, v in w.items() if n.startswith(f"layers.{i}.")}
        h = _norm(x, b["input_layernorm.weight"], config.rms_norm_eps)
        q, k, v = (h @ b[f"self_attn.{n}_proj.weight"].T + b[f"self_attn.{n}_proj.bias"] for n in "qkv")
        heads = []
        for head in range(config.num_attention_heads):
            shared = head * config.num_key_value_heads // config.num_attention_heads
            q1 = _turn(q[:, head * width : (head + 1) * width], width, config.rope_theta)
            k1 = _turn(k[:, shared * width : (shared + 1) * width], width, config.rope_theta)
            heads.append(_attention(q1, k1, v[:, shared * width : (shared + 1) * width], sees))
        x = x + torch.cat(heads, 1) @ b["self_attn.o_proj.weight"].T
        x = x + _mlp(b, "mlp.", _norm(x, b["post_attention_layernorm.weight"], config.rms_norm_eps))
    computed = _norm(x, w["norm.weight"], config.rms_norm_eps) @ w["lm_head.weight"].T
    return torch.stack([computed[max(place - 1, 0)] for place in range(len(x))])


def _llada2_attention(layer: State, config: Any, h: Tensor, sees: Tensor) -> Tensor:
    width, queries, keys = config.head_dim, config.num_attention_heads, config.num_key_value_heads
    fused = (h @ layer["attention.query_key_value.weight"].T).split(width, dim=1)
    rotated = int(width * config.partial_rotary_factor)
    heads = []
    for head in range(queries):
        group = head // (queries // keys)
        q = _norm(fused[head], layer["attention.query_layernorm.weight"], config.rms_norm_eps)
        k = _norm(fused[queries + group], layer["attention.key_layernorm.weight"], config.rms_norm_eps)
        q, k = _turn(q, rotated, config.rope_theta), _turn(k, rotated, config.rope_theta)
        heads.append(_attention(q, k, fused[queries + keys + group], sees))
    return torch.cat(heads, 1)


def _experts(layer: State, config: Any, token: Tensor) -> Tensor:
    score = 1 / (1 + torch.exp(-(layer["mlp.gate.weight"] @ token)))
    biased = (score + layer["mlp.gate.expert_bias"]).tolist()
    size = config.num_experts // config.n_group
    groups = [list(range(g * size, (g + 1) * size)) for g in range(config.n_group)]
    groups.sort(key=lambda members: -sum(sorted((biased[e] for e in members), reverse=True)[:2]))
    open_experts = [e for members in groups[: config.topk_group] for e in members]
    chosen = sorted(open_experts, key=lambda e: -biased[e])[: config.num_experts_per_tok]
    total = sum(float(score[e]) for e in chosen) + 1e-20
    out = _mlp(layer, "mlp.shared_experts.", token)
    for e in chosen:
        out = out + float(score[e]) / total * config.routed_scaling_factor * _mlp(
            layer, f"mlp.experts.{e}.", token
        )
    return out


def _mlp(layer: State, prefix: str, h: Tensor) -> Tensor:
    gate, up, down = (layer[f"{prefix}{name}_proj.weight"] for name in ("gate", "up", "down"))
    return (_silu(h @ gate.T) * (h @ up.T)) @ down.T


def _attention(q: Tensor, k: Tensor, v: Tensor, sees: Tensor) -> Tensor:
    out = []
    for i in range(len(q)):
        seen = sees[i].nonzero().flatten()
        weight = torch.exp(k[seen] @ q[i] / q.shape[1] ** 0.5)
        out.append(weight / weight.sum() @ v[seen])
    return torch.stack(out)


def _turn(x: Tensor, rotated: int, theta: float) -> Tensor:
    out, half = x.clone(), rotated // 2
    for position in range(len(x)):
        for pair in range(half):
            angle = torch.tensor(position / theta ** (2 * pair / rotated), dtype=torch.float64)
            a, b = x[position, pair], x[position, pair + half]
            out[position, pair] = a * angle.cos() - b * angle.sin()
            out[position, pair + half] = b * angle.cos() + a * angle.sin()
    return out


def _norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight


def _silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))
