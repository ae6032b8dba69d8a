"""Models: native LLaDA and LLaDA2, their checkpoints, tokenizers and names.

A model's architecture (`architectures/`) says what others must know of it; `architecture.py` has the contract
that every model meets.
"""
