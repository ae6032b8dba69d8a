"""The three learned scalars of Soft-Masked diffusion (arXiv 2510.17206): how soft a mask is.

    weight = scale * sigmoid(slope (-H - center)),  H the entropy of the last prediction in nats

Deviations: the paper's scale starts near 0 and is clamped. A clamped scale that reaches 0 has no gradient and
stays there, so here it is sigmoid(logit) and starts at 1/2. What is learned are differences from the start:
weight decay then pulls towards it and not towards other scalars.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SLOPE, CENTER = 6.67, -0.75  # of the published start


class SoftMask(nn.Module):
    """weight(H) in [0, 1]; the model is the plain one where the logit is -inf."""

    def __init__(self) -> None:
        super().__init__()
        self.logit, self.slope_by, self.center_by = (nn.Parameter(torch.zeros(1)) for _ in range(3))

    @classmethod
    def of_state(cls, state: dict[str, Tensor]) -> SoftMask:
        """Return one from its saved state; raises RuntimeError where that is another module's."""
        found = cls()
        found.load_state_dict(state)
        return found.requires_grad_(False)

    @property
    def scale(self) -> Tensor:
        """Return the scale, [1]."""
        return self.logit.sigmoid()

    @property
    def slope(self) -> Tensor:
        """Return the slope per nat, [1]."""
        return SLOPE + self.slope_by

    @property
    def center(self) -> Tensor:
        """Return the -H at half weight in nats, [1]."""
        return CENTER + self.center_by

    def forward(self, entropy: Tensor) -> Tensor:
        """Return the weights of predictions at masks, of the shape of `entropy`."""
        return self.scale * (self.slope * (-entropy - self.center)).sigmoid()
