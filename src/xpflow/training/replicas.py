"""How the processes of an alignment hold its weights: alone, copied to each (LoRA), or sharded (full).

A sharded model uses torch's fully_shard (FSDP2) itself: accelerate's plugin would wrap the same call, but on
CPUs it falls back to plain data parallelism without a word, so that nothing of it could be tested there.
Sharded weights, gradients and optimizer states are fp32; with bfloat16 a layer's weights are gathered and
used in bfloat16 and its gradient is summed over the processes in fp32.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from xpflow.runtime.machine import Machine, layers_of
from xpflow.training.student import Measured


class Replicas(Protocol):
    """What a way of holding the weights must do beside a plain training step."""

    scale: float  # of the loss of a process's rows, so that the gradient is that of the whole batch

    def finish(self, parameters: Iterable[nn.Parameter], largest: float) -> None:
        """Complete the gradients (sum over processes) and clip their common norm."""


class Copies:
    """Every process has all the weights; gradients are summed over processes (alone: left as they are)."""

    scale = 1.0

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def finish(self, parameters: Iterable[nn.Parameter], largest: float) -> None:
        """Sum the gradients of all processes, then clip."""
        parameters = list(parameters)
        self.machine.team.sum_([p.grad for p in parameters if p.grad is not None])
        nn.utils.clip_grad_norm_(parameters, largest)


class Shards:
    """Every process has its part of every weight; layers are gathered when they run."""

    def __init__(self, measured: Measured, base: Any | None, machine: Machine) -> None:
        # A rank's gradient enters as its mean over ranks; the loss is a sum over the whole batch's rows.
        self.scale = float(machine.team.size)
        self.mesh = init_device_mesh(machine.device.type, (machine.team.size,))
        narrow = torch.bfloat16 if machine.dtype == torch.bfloat16 else None
        policy = MixedPrecisionPolicy(param_dtype=narrow, reduce_dtype=torch.float32 if narrow else None)
        self._shard(measured.student, measured, policy, torch.float32)
        if base is not None:
            self._shard(base, base, MixedPrecisionPolicy(), machine.dtype)
        # Terms are reshaped on their way out, never changed in place, which is what this warns of.
        warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")

    def finish(self, parameters: Iterable[nn.Parameter], largest: float) -> None:
        """Clip by the norm over all shards; the sum over processes was part of the backward pass."""
        parameters = list(parameters)
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        nn.utils.clip_grads_with_norm_(parameters, largest, whole(norm))

    def _shard(self, model: Any, root: nn.Module, policy: MixedPrecisionPolicy, dtype: torch.dtype) -> None:
        """Convert and shard one layer after the other, so that no process ever holds a whole fp32 model."""
        for layer in layers_of(model):
            fully_shard(layer.to(dtype), mesh=self.mesh, mp_policy=policy)
        for module in model.modules():
            for parameter in module.parameters(recurse=False):
                if not hasattr(parameter, "full_tensor"):
                    parameter.data = parameter.data.to(dtype)
        fully_shard(root, mesh=self.mesh, mp_policy=policy)


def whole(tensor: Tensor) -> Tensor:
    """Return a sharded tensor as a plain one (all processes must ask), a plain one as it is."""
    full: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return full


def gathered(model: Any, machine: Machine, dtype: torch.dtype) -> dict[str, Tensor] | None:
    """Return the whole state of a sharded model on the leader's CPU, in `dtype`; None elsewhere.

    One tensor at a time is gathered: a process needs room for the largest, the leader's memory for all.
    """
    state = {}
    for name, tensor in model.state_dict().items():
        full = whole(tensor.to(dtype) if tensor.is_floating_point() else tensor)
        if machine.team.leads:
            state[name] = full.cpu()
    return state if machine.team.leads else None
