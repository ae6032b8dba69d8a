"""Models: native LLaDA and LLaDA2, their checkpoints, tokenizers and names.

A model's architecture (`architectures/`) says what others must know of it; `architecture.py` has the contract
that every model meets.

Importing this makes transformers' Auto classes know them (`auto.py`): `AutoModelForMaskedLM.from_pretrained`
and `AutoTokenizer.from_pretrained` read published folders, without remote code.
"""

from xpflow.models.auto import enter_when_used

enter_when_used()
