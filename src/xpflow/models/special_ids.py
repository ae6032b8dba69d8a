"""Token ids that a decoder must know and that published config.json files leave to the tokenizer.

LLaDA2.0-mini's config.json has no mask_token_id, neither model's has an eot_token_id. `suppress_token_ids`
stays empty for published models: like upstream they may predict any id, and `suppress: special` then only
hides the mask.
"""

from __future__ import annotations

from collections.abc import Container

from transformers import PretrainedConfig, PreTrainedTokenizerBase

from xpflow.errors import ModelLoadError
from xpflow.models.tokenizer import SPECIAL_TOKENS, Family

FAMILIES: dict[str, Family] = {"llada": "llada", "llada2_moe": "llada2"}
END_OF_TURN = {"llada": "eot", "llada2": "role_end"}


def complete_special_ids(
    config: PretrainedConfig, stated: Container[str], tokenizer: PreTrainedTokenizerBase
) -> None:
    """Set mask and end-of-turn ids that config.json does not state (`stated`: its keys) from the tokenizer.

    Raises ModelLoadError when config.json states another mask id than the tokenizer has.
    """
    family = FAMILIES[config.model_type]
    names, vocabulary = SPECIAL_TOKENS[family], tokenizer.get_vocab()
    mask = vocabulary.get(names["mask"])
    if mask is not None and "mask_token_id" in stated and config.mask_token_id != mask:
        raise ModelLoadError(
            f"mask_token_id is {config.mask_token_id} in config.json, {mask} in the tokenizer",
            hint="config.json and tokenizer.json must come from the same model and revision",
        )
    end = vocabulary.get(names[END_OF_TURN[family]])
    for field, found in (("mask_token_id", mask), ("eot_token_id", end)):
        if field not in stated and found is not None:
            setattr(config, field, int(found))
