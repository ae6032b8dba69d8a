"""The converter of DSL-LLaDA (arXiv 2606.01024): from a noisy code to what a masked model reads.

    p = softmax(beta z K^T + b),  K = [codes; 0],  b = 0 but log V at the last slot, the mask's
    h = W p + c,                  W = [the model's embeddings; that of its mask]

So z = 0 gives p(mask) = 1/2 whatever the codes are, and a clean code of large s the ordinary embedding of its
token, bit for bit. beta, W and c are learned; the codes are not. Without training it is the model's own
posterior mean under equal priors. Legend: V vocabulary, C width of a code, E embedding width.

Deviation: the optional high-pass residual of the released code is left out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from xpflow.continuous.codes import codes_of_seed
from xpflow.noise import Noise


def keys_of(codes_VC: Tensor) -> Tensor:
    """Return [codes, 0; 0, log V], `[V + 1, C + 1]`: with a code and a 1 its product is K z + b, uncopied."""
    keys = torch.nn.functional.pad(codes_VC, (0, 1, 0, 1))
    keys[-1, -1] = math.log(len(codes_VC))
    return keys


class Converter(nn.Module):
    """Codes, s_max, and the map from z [..., C] to inputs of a model [..., E].

    Args:
        codes_VC: unit vectors. table_VE, mask_E: the embeddings that it starts from, of tokens and of the
        mask. snr_max: see `largest_snr`.
    """

    def __init__(
        self, codes_VC: Tensor, table_VE: Tensor, mask_E: Tensor, snr_max: float, beta: float = 1.0
    ) -> None:
        super().__init__()
        self.codes: Tensor
        self.snr_max: Tensor
        self.register_buffer("codes", codes_VC.clone())
        self.register_buffer("snr_max", torch.full((1,), float(snr_max)))
        self.beta = nn.Parameter(torch.full((1,), float(beta)))
        table = torch.cat((table_VE, mask_E[None]))
        self.weight = nn.Parameter(table)
        self.bias = nn.Parameter(torch.zeros(table.shape[1]))

    @classmethod
    def fresh(cls, table_VE: Tensor, noise: Noise, width: int, seed: int = 0, beta: float = 1.0) -> Converter:
        """Return an untrained one, with codes of a width and s_max drawn from a seed.

        The mask's embedding is the mean of a model's masks; 0, the mean of its noise, where that is no token.
        """
        table_VE = table_VE.detach().float()
        codes_VC, snr_max = codes_of_seed(len(table_VE), width, seed)
        masks = list(noise.ids)
        mask_E = table_VE[masks].mean(0) if masks else torch.zeros_like(table_VE[0])
        return cls(codes_VC.to(table_VE.device), table_VE, mask_E, snr_max, beta)

    @classmethod
    def of_state(cls, state: dict[str, Tensor]) -> Converter:
        """Return one from its saved state; raises KeyError or RuntimeError where that is another module's."""
        codes_VC, table = state["codes"], state["weight"]
        found = cls(codes_VC, table[:-1], table[-1], float(state["snr_max"]))
        found.load_state_dict(state)
        return found

    def shares(self, z: Tensor, sharpness: float = 1.0) -> Tensor:
        """Return p, [..., V + 1], the mask's share last; `sharpness` multiplies beta."""
        scaled = torch.nn.functional.pad(sharpness * self.beta * z, (0, 1), value=1.0)
        return (scaled @ keys_of(self.codes).T).softmax(-1)

    def forward(self, z: Tensor, sharpness: float = 1.0) -> Tensor:
        """Return what the model reads for z, [..., E], in the precision of the converter."""
        with torch.autocast(z.device.type, enabled=False):
            found: Tensor = self.shares(z.to(self.weight.dtype), sharpness) @ self.weight + self.bias
        return found
