"""Block `selfdata`: the model's own answers that alignment trains on."""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field

from xpflow.config.block import Block, Budget


class SelfdataBlock(Block):
    """Self-alignment data: full-budget mask prediction of the base model on persona prompts."""

    benchmark: str = Field(default="micropy-personas", description="Source of the prompts")
    prompts: int = Field(default=512, gt=0, description="Prompts answered per seed")
    gen_length: int = Field(default=32, gt=0, description="N, response tokens")
    budget: Budget = Field(default=Fraction(1), description="Steps / N of the answers")
    batch_size: int = Field(default=32, gt=0, description="Rows decoded together")
    heldout: int = Field(default=64, ge=0, description="Real answers held out, for the cross-entropy on them")
