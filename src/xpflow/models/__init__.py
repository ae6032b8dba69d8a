"""Native LLaDA and LLaDA2 models, their checkpoints and the names under which they are found."""

from xpflow.models.checkpoint import load_checkpoint, save_checkpoint
from xpflow.models.llada import LLaDAConfig, LLaDAModelLM
from xpflow.models.llada2 import LLaDA2MoeConfig, LLaDA2MoeModelLM
from xpflow.models.registry import MODELS, ModelEntry, load_model

__all__ = [
    "MODELS",
    "LLaDA2MoeConfig",
    "LLaDA2MoeModelLM",
    "LLaDAConfig",
    "LLaDAModelLM",
    "ModelEntry",
    "load_checkpoint",
    "load_model",
    "save_checkpoint",
]
