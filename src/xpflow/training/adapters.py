"""Low-rank adapters (LoRA) through peft: on attention, shared and dense MLPs and the head.

Routed experts stay as they are: an adapter on each would be larger than what it adapts is used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from xpflow.study.config.training import LoraSettings

LORA_TARGETS = (
    r".*(query_key_value|attention\.dense|shared_experts\.\w+_proj|layers\.0\.mlp\.\w+_proj|lm_head)"
)


def with_adapters(model: Any, settings: LoraSettings) -> Any:
    """Wrap a model, in place, with adapters in fp32; its own weights no longer need a gradient."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # any number works
        target_modules=LORA_TARGETS,
        lora_dropout=0.0,
        bias="none",
    )
    return get_peft_model(model.requires_grad_(False), config)


def reset_adapters(model: nn.Module, seed: int) -> None:
    """Draw the adapters' A matrices from a seed (B starts at zero), without the global random state."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            bound = parameter.shape[-1] ** -0.5
            with torch.no_grad():
                parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound)


class Trained(nn.Module):
    """The parameters of a model that are trained, and no others, as a module: what a saved state holds."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                self.register_parameter(name.replace(".", "/"), parameter)
