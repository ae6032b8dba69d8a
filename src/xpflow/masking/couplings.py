"""Couplings of noise and sentences: what a model with noisy masks is rectified on (ReDi).

A coupling is a seed of mask noise and the sentence that a model made from it, in many steps with its noise
kept. A student that learns sentences from their noise can make them in one step; a teacher that ignores its
noise gives independent pairs, which a student can only learn by heart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from xpflow.artifacts.io import atomic_writer
from xpflow.errors import ArtifactError, ConfigError
from xpflow.masking.mask_noise import NoiseShape
from xpflow.masking.noisy_sampling import NoisyDenoiser, sample_noisy

SEEDS = 2**62


@dataclass(frozen=True, slots=True)
class Couplings:
    """Sentences, long [M, L], and the seeds of the noise that each was made from, long [M]."""

    ids_ML: Tensor
    seed_M: Tensor

    def noise(self, rows: Tensor, shape: NoiseShape) -> Tensor:
        """Return the noise of some couplings, [rows, L, numbers], drawn again from their seeds."""
        return noise_of(self.seed_M[rows], self.ids_ML.shape[1], shape)

    def save(self, path: Path) -> None:
        """Write them to a file, whole or not at all."""
        with atomic_writer(path) as beside:
            save_file({"ids": self.ids_ML.contiguous(), "seeds": self.seed_M.contiguous()}, beside)


def load_couplings(path: Path) -> Couplings:
    """Read what `save` wrote.

    Raises:
        ArtifactError: there is no such file, or it holds something else.
    """
    try:
        found = load_file(path)
        ids_ML, seed_M = found["ids"], found["seeds"]
    except (OSError, SafetensorError, KeyError) as error:
        raise ArtifactError(
            f"{path} holds no couplings: {error}", hint="Couplings.save writes them"
        ) from error
    kinds = (ids_ML.dtype, seed_M.dtype) == (torch.long, torch.long)
    if not kinds or ids_ML.ndim != 2 or seed_M.shape != ids_ML.shape[:1] or not ids_ML.numel():
        shapes = f"{tuple(ids_ML.shape)} {ids_ML.dtype} and {tuple(seed_M.shape)} {seed_M.dtype}"
        raise ArtifactError(
            f"{path} holds no couplings: ids and seeds are {shapes}", hint="Couplings.save writes them"
        )
    if int(ids_ML.min()) < 0 or int(seed_M.min()) < 0:
        raise ArtifactError(f"{path}: an id or a seed is below 0", hint="make the couplings again")
    return Couplings(ids_ML, seed_M)


def noise_of(seed_M: Tensor, places: int, shape: NoiseShape) -> Tensor:
    """Return the noise of seeds, [M, places, numbers]: that of each depends on its seed alone."""
    rows = [shape.draw(1, places, torch.Generator().manual_seed(seed)) for seed in seed_M.tolist()]
    return torch.cat(rows)


def make_couplings(
    denoiser: NoisyDenoiser, shape: NoiseShape, size: tuple[int, int], steps: int, generator: torch.Generator
) -> Couplings:
    """Make `size` = [M, L] couplings in at most `steps` steps; a sentence's noise is kept along its path.

    Raises:
        ConfigError: none is asked for.
    """
    if size[0] < 1:
        raise ConfigError(f"{size[0]} couplings are none")
    seed_M = torch.randint(SEEDS, size[:1], generator=generator)
    noise_MLW = noise_of(seed_M, size[1], shape)
    return Couplings(sample_noisy(denoiser, noise_MLW, shape, steps, generator).ids_BL, seed_M)
