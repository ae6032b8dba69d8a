"""What of a student is trained, and how processes hold it: alone, copied to each, or sharded.

All parameters, or low-rank adapters (LoRA) through peft. Several processes that train adapters each have all
the weights; what is trained in full they shard by torch's own fully_shard (FSDP2): accelerate's plugin would
wrap the same call, but on CPUs it falls back to plain data parallelism without a word, so that nothing of it
could be tested there. Sharded weights, gradients and optimizer states are fp32; with bfloat16 a layer's
weights are gathered and used in bfloat16 and its gradient is summed over the processes in fp32.
"""

from __future__ import annotations

import re
import warnings
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from xpflow.errors import ConfigError
from xpflow.models.architectures import ARCHITECTURES
from xpflow.runtime.machine import Machine, layers_of
from xpflow.study.config.training import LoraSettings
from xpflow.training.student import Student


class Weights(Protocol):
    """A way of holding the weights of a student.

    scale: of the loss of a process's rows, so that the gradient is that of the whole batch. sharded: whether
    processes hold parts. saved: the module whose state a resumed run needs.
    """

    @property
    def scale(self) -> float: ...
    @property
    def sharded(self) -> bool: ...
    @property
    def saved(self) -> nn.Module: ...

    def norm(self, parameters: list[nn.Parameter]) -> Tensor:
        """Complete the gradients (sum over processes) and return their common norm."""

    def model(self, dtype: torch.dtype) -> Any:
        """Return the trained model, adapters merged, in a precision; None in processes that do not lead."""

    def extra(self) -> dict[str, Tensor]:
        """Return the state of the objective's own modules, on the CPU."""


class Copies:
    """Every process has all the weights; gradients are summed over processes (alone: left as they are)."""

    scale, sharded = 1.0, False

    def __init__(self, student: Student, machine: Machine) -> None:
        self.student, self.machine = student, machine
        self.adapted = hasattr(student.model, "merge_and_unload")
        self.saved: nn.Module = Trained(student) if self.adapted else student

    def norm(self, parameters: list[nn.Parameter]) -> Tensor:
        """Sum the gradients of all processes, and return their norm."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        self.machine.team.sum_(gradients)
        return nn.utils.get_total_norm(gradients)

    def model(self, dtype: torch.dtype) -> Any:
        """Return the model, with adapters merged into it."""
        if not self.adapted:
            return _finished(self.student.model, dtype)
        return _finished(self.student.model.merge_and_unload(), dtype) if self.machine.team.leads else None

    def extra(self) -> dict[str, Tensor]:
        """Return the state of the objective's own modules, on the CPU."""
        return {name: value.cpu() for name, value in self.student.extra.state_dict().items()}


class Shards:
    """Every process has its part of every weight; layers are gathered when they run."""

    sharded = True

    def __init__(self, student: Student, machine: Machine) -> None:
        # A rank's gradient enters as its mean over ranks; the loss is a sum over the whole batch's rows.
        self.scale = float(machine.team.size)
        self.student, self.machine, self.saved = student, machine, student
        self.mesh = init_device_mesh(machine.device.type, (machine.team.size,))
        narrow = torch.bfloat16 if machine.dtype == torch.bfloat16 else None
        policy = MixedPrecisionPolicy(param_dtype=narrow, reduce_dtype=torch.float32 if narrow else None)
        self._shard(student.model, student, policy, torch.float32)
        if student.base is not None:
            self._shard(student.base, student.base, MixedPrecisionPolicy(), machine.dtype)
        # Terms are reshaped on their way out, never changed in place, which is what this warns of.
        warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")

    def norm(self, parameters: list[nn.Parameter]) -> Tensor:
        """Return the norm over all shards; the sum over processes was part of the backward pass."""
        return whole(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))

    def model(self, dtype: torch.dtype) -> Any:
        """Gather the weights into a plain model of the leader.

        One tensor at a time is gathered: a process needs room for the largest, the leader's memory for all.
        """
        sharded = self.student.model
        state = self._gathered(sharded, dtype)
        if not self.machine.team.leads:
            return None
        with torch.device("meta"):
            model = type(sharded)(sharded.config)
        model.load_state_dict(state, assign=True)
        return _finished(model, dtype)

    def extra(self) -> dict[str, Tensor]:
        """Return the state of the objective's own modules, on the leader's CPU."""
        return self._gathered(self.student.extra, torch.float32)

    def _gathered(self, module: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
        state = {}
        for name, tensor in module.state_dict().items():
            full = whole(tensor.to(dtype) if tensor.is_floating_point() else tensor)
            if self.machine.team.leads:
                state[name] = full.cpu()
        return state

    def _shard(self, model: Any, root: nn.Module, policy: MixedPrecisionPolicy, dtype: torch.dtype) -> None:
        """Convert and shard one layer after the other, so that no process ever holds a whole fp32 model."""
        for layer in layers_of(model):
            fully_shard(layer.to(dtype), mesh=self.mesh, mp_policy=policy)
        for module in root.modules():
            for parameter in module.parameters(recurse=False):
                if not hasattr(parameter, "full_tensor"):
                    parameter.data = parameter.data.to(dtype)
        fully_shard(root, mesh=self.mesh, mp_policy=policy)


def whole(tensor: Tensor) -> Tensor:
    """Return a sharded tensor as a plain one (all processes must ask), a plain one as it is."""
    full: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return full


class Trained(nn.Module):
    """The parameters of a module that are trained, and no others, as a module: what a saved state holds."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                self.register_parameter(name.replace(".", "/"), parameter)


def with_adapters(model: Any, settings: LoraSettings, seed: int) -> Any:
    """Wrap a model, in place, with fp32 adapters drawn from a seed; its own weights need no gradient."""
    from peft import LoraConfig, get_peft_model

    kind = model.config.model_type
    targets = ARCHITECTURES[kind].lora_targets
    if not any(re.fullmatch(targets, name) for name, _ in model.named_modules()):
        raise ConfigError(
            f"architecture {kind!r} has no module that its lora_targets {targets!r} name",
            hint="set `training: full` for the model, or mend the pattern of the architecture",
        )
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # any number works
        target_modules=targets,
        lora_dropout=0.0,
        bias="none",
    )
    adapted = get_peft_model(model.requires_grad_(False), config)
    _draw_adapters(adapted, seed)
    return adapted


def _draw_adapters(model: nn.Module, seed: int) -> None:
    """Draw the adapters' A matrices from a seed (B starts at zero), without the global random state."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            bound = parameter.shape[-1] ** -0.5
            with torch.no_grad():
                parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound)


def _finished(model: Any, dtype: torch.dtype) -> Any:
    return model.to(dtype).eval().requires_grad_(False)
