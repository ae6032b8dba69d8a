"""All routed experts of a layer in two grouped matrix products: the fast way for many experts on a GPU.

The experts' weights lie in two stacked tensors; the published parameters are views of them, so nothing is
held twice and every name stays. Tokens are sorted by expert and each product runs over the groups. The loop
over experts (moe.py) is the reference; both give the same numbers up to rounding.
Shape letters: as in moe.py; T tokens, k experts of a token, E experts, I an expert's inner width, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
