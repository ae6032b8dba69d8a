"""MicroText: small languages of which everything is known, for models that are trained from nothing.

A world (`worlds/`) is a language of sentences of one length. Of each, the package computes log p(x) and
p(x_i | any partially masked sentence) exactly (`chains.py`), so that a model's bound has a floor, a sample
has a likelihood of its own, and what a simultaneous step loses is a number. The worlds are small and regular
on purpose: what is measured on them says nothing of a model of English. The names are here, and no torch.
"""

from xpflow.microtext.worlds import WORLDS

ARCHITECTURE = "llada"  # of the models that are trained on them; special tokens and chat template are its own

__all__ = ["ARCHITECTURE", "WORLDS"]
