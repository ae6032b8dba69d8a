"""xpflow: masked diffusion decoding as x-prediction flow, from training to tables."""

__version__ = "0.2.0.dev0"
AUTO_CLASSES = True  # whether our models enter transformers' Auto classes; commands of ours say no
