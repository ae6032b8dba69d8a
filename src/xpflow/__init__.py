"""xpflow: masked diffusion decoding as x-prediction flow, from training to tables."""

__version__ = "0.1.0"
