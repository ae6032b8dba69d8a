"""What a schedule is: how the places of a sentence get their alpha(u, t), from what can be seen (u).

A plug-in file defines settings (plain values, as a study's YAML has them), a subclass of `Schedule` and one
value, its `Rule`. To add one: such a file and its line in `xpflow.masking.schedules`; or no line at all,
where a run names the file (`schedule: ./mine.py:SCHEDULE`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from xpflow.errors import ConfigError, nearest
from xpflow.masking.alpha import Alpha, Mixed, powers
from xpflow.masking.schedules import SCHEDULES


class Values(BaseModel):
    """Base of the settings of schedules: unknown names are errors, values are frozen and finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


class Schedule(ABC):
    """A schedule that follows from the sentence alone.

    learned: whether its alphas come from heads on a model's features (`LearnedSchedule`).
    """

    learned: bool = False

    @abstractmethod
    def alpha(self, ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        """Return the alphas of sentences of which the places that are not open are seen.

        The forward process sees whole sentences (nothing is open), the reverse one what is decided. Where
        both decide open places at the same rates, the bound has no velocity term.

        Raises:
            ConfigError: the schedule is for sentences of another length.
        """


class LearnedSchedule(Schedule):
    """A schedule of two heads: one reads the features of the clean sentence, one those of the masked one."""

    learned = True

    @abstractmethod
    def modules(self, config: Any) -> Mapping[str, nn.Module]:
        """Return the heads "order" and "reverse" of a model's configuration: [B, L, D] to [B, L]."""

    @abstractmethod
    def of_scores(self, scores_BL: Tensor) -> Alpha:
        """Return the alphas of what a head said."""

    def alpha(self, ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        """Raise ConfigError: a sentence alone has no features."""
        raise ConfigError("a learned schedule needs a model's features", hint="ask `of_scores`")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a plug-in file says of its schedule: settings model, maker, one line of help, examples."""

    settings: type[Values]
    make: Callable[[Any], Schedule]
    about: str
    examples: tuple[Mapping[str, Any], ...] = ({},)


def make_schedule(name: str, values: Mapping[str, Any] | None = None) -> Schedule:
    """Return a schedule from its name and its settings.

    Raises:
        ConfigError: no such schedule, or settings that it does not have or accept.
    """
    rule = SCHEDULES[name]
    try:
        return rule.make(rule.settings.model_validate(dict(values or {})))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "settings"
        known = list(rule.settings.model_fields)
        raise ConfigError(f"schedule {name!r}, {key}: {first['msg']}", hint=nearest(key, known)) from None


def smoothed(alpha: Alpha, share: float, like_BL: Tensor) -> Alpha:
    """Return a schedule with `share` of masked diffusion mixed in: every place can be masked at any time."""
    return Mixed(alpha, powers(torch.ones(like_BL.shape, device=like_BL.device)), share) if share else alpha
