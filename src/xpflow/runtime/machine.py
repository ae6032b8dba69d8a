"""How a training stage uses its machine: device, precision, processes, and what it does to fit in memory.

Nothing here changes what is computed; in fp32 the numbers stay the same up to rounding, and with the defaults
(one process, whole batches, all logits at once) to the last bit.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from xpflow.models.device import chosen_dtype
from xpflow.runtime.processes import ALONE, Team
from xpflow.study.config.machine import RuntimeBlock

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Machine:
    """Settings of the block `runtime` that training reads, and the process's team and device."""

    team: Team = ALONE
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    micro_batch: int | None = None
    vocab_chunk: int = 0
    activation_checkpointing: bool = False
    checkpoint_every: int = 50

    @classmethod
    def of(cls, runtime: RuntimeBlock, team: Team = ALONE, device: torch.device | None = None) -> Machine:
        """Return a study's settings; for `auto` precision the leader measures."""
        device = device or torch.device(runtime.device)
        dtype = team.gather(chosen_dtype(runtime.dtype, device))[0]
        return cls(
            team,
            device,
            dtype,
            runtime.micro_batch,
            runtime.vocab_chunk,
            runtime.activation_checkpointing,
            runtime.checkpoint_every,
        )

    def autocast(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Return the context in which fp32 weights compute in bfloat16, where the study asks for that."""
        narrow = self.dtype == torch.bfloat16 and next(model.parameters()).dtype == torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=narrow)


def layers_of(model: Any) -> list[nn.Module]:
    """Return the transformer layers of a model, in order, by the class names that the model gives."""
    names = set(model._no_split_modules)
    return [module for module in model.modules() if type(module).__name__ in names]


def recompute_layers(model: Any) -> None:
    """Make every layer keep its inputs only and run again in the backward pass; gradients stay the same.

    There is no dropout, so no random state has to be kept.
    """
    for layer in layers_of(model):
        again = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
        layer.forward = again
