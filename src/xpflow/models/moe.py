"""The mixture-of-experts layer of LLaDA2: grouped routing, routed experts, a shared expert.

Routing (LLaDA2.0 modeling_llada2_moe.py): scores are sigmoids in fp32; experts are *selected* by score plus
`expert_bias`, first the best groups (by the sum of their two best experts), then the best experts in them;
they are *mixed* by the plain scores, normalised and scaled. `expert_bias` has no gradient: training moves it
to even out the load (auxiliary-loss-free balancing, arXiv 2408.15664).

Experts are kept one module each, under the published names. With few experts (micro models) all are evaluated
in one product and weighted by a dense [tokens, experts] matrix, which is faster on a CPU and has no
data-dependent control flow; otherwise each expert sees only its tokens, one expert after the other (the
reference) or in grouped products (prepared by loading on a GPU in bf16). Up to rounding, all give the same
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xpflow.models.layers import OutLinear, at_least_fp32

DENSE_LIMIT = 16  # most experts for which evaluating all of them is the faster way


class RoutingConfig(Protocol):
    """The fields of a configuration that this layer reads."""

    hidden_size: int
    moe_intermediate_size: int
    num_experts: int
    num_experts_per_tok: int
    num_shared_experts: int
    n_group: int
    topk_group: int
    norm_topk_prob: bool
    routed_scaling_factor: float
    initializer_range: float


class GatedMLP(nn.Module):
    """down(silu(gate(x)) * up(x)): the dense layer, the shared expert and every routed expert."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = OutLinear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class Router(nn.Module):
    """Choose `num_experts_per_tok` experts for each token and their mixing weights."""

    def __init__(self, config: RoutingConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.num_experts, config.hidden_size))
        self.register_buffer("expert_bias", torch.zeros(config.num_experts))
        self.expert_bias: Tensor

    def forward(self, x_TD: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixing weights [T, k] in fp32 and expert indices [T, k] for tokens [T, D]."""
        with torch.autocast(device_type=x_TD.device.type, enabled=False):
            wide = at_least_fp32(x_TD.dtype)
            score_TE = F.linear(x_TD.to(wide), self.weight.to(wide)).sigmoid()
        chosen_Tk = self.select(score_TE.detach())
        weight_Tk = score_TE.gather(-1, chosen_Tk)
        if self.config.norm_topk_prob and self.config.num_experts_per_tok > 1:
            weight_Tk = weight_Tk / (weight_Tk.sum(-1, keepdim=True) + 1e-20)
        return weight_Tk * self.config.routed_scaling_factor, chosen_Tk

    def select(self, score_TE: Tensor) -> Tensor:
        """Return the experts [T, k] with the highest biased scores inside the best groups."""
        groups, kept = self.config.n_group, self.config.topk_group
        biased_TE = score_TE + self.expert_bias
        if kept < groups:
            biased_TGM = biased_TE.view(len(biased_TE), groups, -1)
            score_TG = biased_TGM.topk(min(2, biased_TGM.shape[-1]), dim=-1).values.sum(-1)
            best_TG = score_TG.topk(kept, dim=-1).indices
            dropped_TG = torch.ones_like(score_TG, dtype=torch.bool).scatter(-1, best_TG, False)
            biased_TE = biased_TGM.masked_fill(dropped_TG.unsqueeze(-1), float("-inf")).flatten(-2)
        return biased_TE.topk(self.config.num_experts_per_tok, dim=-1).indices


class SparseMoE(nn.Module):
    """Routed experts plus shared experts."""

    def __init__(self, config: RoutingConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.moe_intermediate_size
        self.gate = Router(config)
        self.experts = nn.ModuleList(GatedMLP(width, inner) for _ in range(config.num_experts))
        shared = config.num_shared_experts
        self.shared_experts = GatedMLP(width, inner * shared) if shared else None
        self.dense = config.num_experts <= DENSE_LIMIT
        self.stack: ExpertStack | None = None

    def group(self, device: torch.device, dtype: torch.dtype) -> None:
        """Lay the experts' weights out for grouped products, on a device in a dtype."""
        self.stack = stack_experts(list(self.experts), device, dtype)

    def __getstate__(self) -> dict[str, Any]:
        """A copy has parameters of its own, so not this one's stack: call `group` on it."""
        return {**self.__dict__, "stack": None}

    def forward(self, x_BSD: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the layer's output [B, S, D] and, in training, the tokens per expert [E]."""
        x_TD = x_BSD.flatten(0, 1)
        weight_Tk, chosen_Tk = self.gate(x_TD)
        out_BSD = self._way(x_TD)(x_TD, weight_Tk, chosen_Tk).to(x_BSD.dtype).view_as(x_BSD)
        if self.shared_experts is not None:
            out_BSD = out_BSD + self.shared_experts(x_BSD)
        return out_BSD, self._load(chosen_Tk) if self.training else None

    def _way(self, x_TD: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        if (self.stack is None and not self.dense) or not self._experts_are_plain():
            return self.run_loop
        if self.stack is not None and self.stack.serves(self.experts, x_TD):  # type: ignore[arg-type]
            return self.stack.run
        return self.run_dense if self.dense else self.run_loop

    def run_loop(self, x_TD: Tensor, weight_Tk: Tensor, chosen_Tk: Tensor) -> Tensor:
        """Run each expert on its own tokens and sum in fp32: the reference, and the way for many experts."""
        order = chosen_Tk.flatten().argsort(stable=True)
        counts = chosen_Tk.flatten().bincount(minlength=len(self.experts)).tolist()
        pieces = torch.split(x_TD[order // chosen_Tk.shape[1]], counts)
        done = [expert(piece) for expert, piece in zip(self.experts, pieces, strict=True) if len(piece)]
        out_TkD = torch.cat(done)[order.argsort()].view(*chosen_Tk.shape, -1)
        return (out_TkD.to(weight_Tk.dtype) * weight_Tk.unsqueeze(-1)).sum(1)

    def run_dense(self, x_TD: Tensor, weight_Tk: Tensor, chosen_Tk: Tensor) -> Tensor:
        """Run all experts on all tokens as three products, weighting by a dense [T, E] matrix."""
        gate = torch.cat([expert.gate_proj.weight for expert in self.experts])  # type: ignore[union-attr,misc]
        up = torch.cat([expert.up_proj.weight for expert in self.experts])  # type: ignore[union-attr,misc]
        down = torch.cat([expert.down_proj.weight for expert in self.experts], dim=1)  # type: ignore[union-attr,misc]
        inner_TEI = (F.silu(F.linear(x_TD, gate)) * F.linear(x_TD, up)).view(len(x_TD), len(self.experts), -1)
        mix_TE = weight_Tk.new_zeros(len(x_TD), len(self.experts)).scatter(-1, chosen_Tk, weight_Tk)
        return F.linear((inner_TEI * mix_TE.unsqueeze(-1).to(inner_TEI.dtype)).flatten(-2), down)

    def _load(self, chosen_Tk: Tensor) -> Tensor:
        experts = torch.arange(len(self.experts), device=chosen_Tk.device)
        return (chosen_Tk.flatten()[:, None] == experts).sum(0)

    def _experts_are_plain(self) -> bool:
        """Adapters replace a Linear by a module of their own; reading its weight would skip the adapter."""
        return all(
            type(part) in (nn.Linear, OutLinear) for expert in self.experts for part in expert.children()
        )


@dataclass(frozen=True, slots=True)
class ExpertStack:
    """gate_up_EID: gate rows, then up rows [E, 2I, D]; down_EDI: [E, D, I]."""

    gate_up_EID: Tensor
    down_EDI: Tensor

    def serves(self, experts: Sequence[Any], x_TD: Tensor) -> bool:
        """Return whether the experts' parameters still are views of the stack and have no gradient to take.

        `model.to(...)`, a copied model or adapters put other tensors or modules in their place.
        """
        if x_TD.dtype != self.gate_up_EID.dtype or x_TD.device != self.gate_up_EID.device:
            return False
        for index in (0, len(experts) - 1):
            gate = experts[index].gate_proj.weight
            if gate.data_ptr() != self.gate_up_EID[index].data_ptr():
                return False
            if experts[index].down_proj.weight.data_ptr() != self.down_EDI[index].data_ptr():
                return False
            if gate.requires_grad and torch.is_grad_enabled():
                return False
        return True

    def run(self, x_TD: Tensor, weight_Tk: Tensor, chosen_Tk: Tensor) -> Tensor:
        """Return the experts' weighted sum [T, D] in the weights' dtype (fp32)."""
        sorted_N, order_N = chosen_Tk.flatten().sort(stable=True)
        experts = torch.arange(len(self.down_EDI), device=sorted_N.device)
        ends_E = torch.searchsorted(sorted_N, experts, right=True).to(torch.int32)
        rows_ND = x_TD[order_N // chosen_Tk.shape[1]]
        gate_NI, up_NI = F.grouped_mm(rows_ND, self.gate_up_EID.mT, offs=ends_E).chunk(2, dim=-1)
        out_ND = F.grouped_mm(F.silu(gate_NI) * up_NI, self.down_EDI.mT, offs=ends_E)
        out_TkD = out_ND[order_N.argsort()].view(*chosen_Tk.shape, -1)
        return (out_TkD.to(weight_Tk.dtype) * weight_Tk.unsqueeze(-1)).sum(1)


def stack_experts(experts: Sequence[Any], device: torch.device, dtype: torch.dtype) -> ExpertStack:
    """Make the experts' parameters views of two stacked tensors; what they hold (unless meta) is copied."""
    inner, width = experts[0].gate_proj.weight.shape
    gate_up_EID = torch.empty(len(experts), 2 * inner, width, device=device, dtype=dtype)
    down_EDI = torch.empty(len(experts), width, inner, device=device, dtype=dtype)
    for index, expert in enumerate(experts):
        _view(expert.gate_proj, gate_up_EID[index, :inner])
        _view(expert.up_proj, gate_up_EID[index, inner:])
        _view(expert.down_proj, down_EDI[index])
    return ExpertStack(gate_up_EID, down_EDI)


def grouped_works(device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether this device has grouped products in a dtype, by a small one that is checked."""
    x_ND = torch.eye(16, device=device, dtype=dtype)
    w_EID = x_ND.repeat(2, 1, 1)
    try:
        found = F.grouped_mm(x_ND, w_EID.mT, offs=torch.tensor([5, 16], device=device, dtype=torch.int32))
    except (RuntimeError, NotImplementedError):
        return False
    return torch.equal(found, x_ND)


def _view(linear: nn.Linear, place: Tensor) -> None:
    old = linear.weight
    if not old.is_meta:
        with torch.no_grad():
            place.copy_(old)
    linear.weight = nn.Parameter(place, requires_grad=old.requires_grad)
