"""Tokenizers: training those of the micro models, and what a loaded one tells a model's configuration.

The micro tokenizers are of the same kind as upstream's: byte-level BPE, special tokens outside the merges, a
chat template that always ends with an open assistant turn. Their merges are trained on the MicroPy training
split only. The architecture says which special tokens and which template.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PretrainedConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xpflow.errors import ModelLoadError
from xpflow.models.architecture import TokenizerKind
from xpflow.models.architectures import ARCHITECTURES

# Indentation goes with the line end before it, a digit stands alone, a word takes the space before it.
_SPLIT = r"[^\w\s]*\n *| ?[A-Za-z_]+| ?[0-9]| ?[^\w\s]+| +"


def train_tokenizer(
    kind: TokenizerKind, texts: Iterable[str], vocab_size: int = 1024
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on texts; its vocabulary has at most `vocab_size` entries."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(kind.special.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return as_published(tokenizer, kind)


def as_published(tokenizer: Tokenizer, kind: TokenizerKind) -> PreTrainedTokenizerFast:
    """Wrap a tokenizer as transformers uses it, with special tokens and chat template of its kind."""
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=kind.special["bos"],
        eos_token=kind.special["eos"],
        pad_token=kind.special["eos"],
        mask_token=kind.special["mask"],
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = kind.chat_template
    return wrapped


def encode_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return the token ids of one user turn in the model's chat template.

    They end with the open assistant turn.
    """
    try:
        rendered = tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False)
    except Exception as error:  # Jinja's own, or whatever a template's code raises
        raise ModelLoadError(
            f"the tokenizer's chat template cannot be used: {type(error).__name__}: {error}",
            hint="mend chat_template.jinja in the model's folder",
        ) from error
    return list(tokenizer(rendered, add_special_tokens=False)["input_ids"])


def decode_response(tokenizer: PreTrainedTokenizerBase, ids: Iterable[int]) -> str:
    """Return the text of response tokens without special tokens; nothing is cut at an end-of-text token."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True))


def complete_special_ids(
    config: PretrainedConfig, stated: Container[str], tokenizer: PreTrainedTokenizerBase
) -> None:
    """Set mask and end-of-turn ids that config.json does not state (`stated`: its keys) from the tokenizer.

    Decoders must know them, and published files leave them out: LLaDA2.0-mini's has no mask_token_id, neither
    model's has an eot_token_id. `suppress_token_ids` stays empty for published models: like upstream they may
    predict any id, and `suppress: special` then only hides the mask.

    Raises:
        ModelLoadError: config.json states another mask id than the tokenizer has.
    """
    kind, vocabulary = ARCHITECTURES[config.model_type].tokenizer, tokenizer.get_vocab()
    mask = vocabulary.get(kind.special["mask"])
    if mask is not None and "mask_token_id" in stated and config.mask_token_id != mask:
        raise ModelLoadError(
            f"mask_token_id is {config.mask_token_id} in config.json, {mask} in the tokenizer",
            hint="config.json and tokenizer.json must come from the same model and revision",
        )
    end = vocabulary.get(kind.special[kind.end_of_turn])
    for field, found in (("mask_token_id", mask), ("eot_token_id", end)):
        if field not in stated and found is not None:
            setattr(config, field, int(found))
