"""Fake models and prompts."""

from fakes.decoding import make_model, prompts

__all__ = ["make_model", "prompts"]
