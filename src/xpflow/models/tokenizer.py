"""Tokenizers: training those of the micro models, and what a loaded one tells a model's configuration.

The micro tokenizers are of the same kind as upstream's: byte-level BPE, special tokens outside the merges, a
chat template that always ends with an open assistant turn. Their merges are trained on the MicroPy training
split only. The architecture says which special tokens and which template.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from jinja2 import Environment, TemplateError, meta
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PretrainedConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xpflow.artifacts.io import whole_text
from xpflow.errors import ModelLoadError
from xpflow.models.architecture import TokenizerKind
from xpflow.models.architectures import ARCHITECTURES

# Indentation goes with the line end before it, a digit stands alone, a word takes the space before it.
_SPLIT = r"[^\w\s]*\n *| ?[A-Za-z_]+| ?[0-9]| ?[^\w\s]+| +"

ROLES = ("bos", "eos", "pad", "mask")
_NEEDED = ("eos_token_id", "pad_token_id")
_TOGETHER = "config.json and tokenizer.json must come from the same model and revision"


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

    Raises:
        ModelLoadError: there is no chat template, or it cannot be rendered.
    """
    turn = [{"role": "user", "content": text}]
    try:
        rendered = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # Jinja's own, or whatever a template's code raises
        raise ModelLoadError(
            f"the model's chat template cannot be rendered: {type(error).__name__}: {error}",
            hint="it is chat_template.jinja in the model's folder, or in its tokenizer_config.json",
        ) from error
    if text.strip() not in str(rendered):
        raise ModelLoadError(
            "the model's chat template does not print the text of a turn as it is: "
            "answers would be to another prompt",
            hint="it is chat_template.jinja in the model's folder, or in its tokenizer_config.json",
        )
    return list(tokenizer(whole_text(str(rendered)), add_special_tokens=False)["input_ids"])


def decode_response(tokenizer: PreTrainedTokenizerBase, ids: Iterable[int]) -> str:
    """Return the text of response tokens without special tokens; nothing is cut at an end-of-text token."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True))


def name_special_tokens(
    tokenizer: PreTrainedTokenizerBase, kind: TokenizerKind, named: Container[str]
) -> None:
    """Give a tokenizer the special tokens of its kind for roles that its files do not name (`named`: keys).

    Without a tokenizer_config.json no token has a role, and a chat template would print nothing for them.
    """
    vocabulary = tokenizer.get_vocab()
    for role in ROLES:
        text = kind.special["eos" if role == "pad" else role]
        if f"{role}_token" not in named and text in vocabulary:
            setattr(tokenizer, f"{role}_token", text)


def require_template_tokens(
    tokenizer: PreTrainedTokenizerBase, named: Container[str], folder: object
) -> None:
    """Raise ModelLoadError where the chat template prints a special token that nobody has named."""
    template = tokenizer.chat_template
    if not isinstance(template, str):
        return
    try:
        used = meta.find_undeclared_variables(Environment().parse(template))
    except TemplateError:  # transformers has tags of its own; a broken one is named where it is used
        return
    for name in sorted(used & {f"{role}_token" for role in (*ROLES, "cls", "sep", "unk")}):
        if name not in named and getattr(tokenizer, name) is None:
            raise ModelLoadError(
                f"{folder}: the chat template prints {name}, and no file says which token that is",
                hint="fetch tokenizer_config.json too; it belongs to the model",
            )


def require_whole_tokens(tokenizer: PreTrainedTokenizerBase, kind: TokenizerKind, folder: object) -> None:
    """Raise ModelLoadError where a special token of the family would be read as plain characters.

    A tokenizer.json without its `added_tokens` cuts `<|eot_id|>` in pieces, and every prompt is another one.
    """
    vocabulary = tokenizer.get_vocab()
    template = tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else ""
    for text in kind.special.values():
        if text not in vocabulary:
            if text in template:
                raise ModelLoadError(
                    f"{folder}: the chat template prints {text}, and the tokenizer has no such token",
                    hint=_TOGETHER,
                )
        elif list(tokenizer(text, add_special_tokens=False)["input_ids"]) != [vocabulary[text]]:
            raise ModelLoadError(
                f"{folder}: the tokenizer cuts its special token {text} in pieces",
                hint="tokenizer.json has lost its `added_tokens`: fetch it again",
            )


def special_ids(
    config: PretrainedConfig, stated: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase
) -> dict[str, int | None]:
    """Return the ids that config.json does not state (`stated`: its fields), by the tokenizer.

    Decoders must know them, and published files leave them out: LLaDA2.0-mini's has no mask_token_id, neither
    model's has an eot_token_id. `suppress_token_ids` stays empty for published models: like upstream they may
    predict any id, and `suppress: special` then only hides the mask.

    Raises:
        ModelLoadError: config.json states another mask id than the tokenizer has, neither says what the mask
            or the end of text is, or the tokenizer has ids that the model has no rows for.
    """
    kind, vocabulary = ARCHITECTURES[config.model_type].tokenizer, tokenizer.get_vocab()
    rows = ARCHITECTURES[config.model_type].sizes(config.to_dict()).vocab
    if max(vocabulary.values(), default=0) >= rows:
        raise ModelLoadError(
            f"the tokenizer has ids up to {max(vocabulary.values())}, the model {rows} rows in its embedding",
            hint=_TOGETHER,
        )
    found = {"mask_token_id": _mask_id(stated, kind, tokenizer, rows)}
    eos = stated.get("eos_token_id")
    eos = eos if eos is not None else _first_id(tokenizer.eos_token_id, vocabulary.get(kind.special["eos"]))
    if eos is None:
        raise ModelLoadError(
            "neither config.json nor the tokenizer says which token ends a text", hint="add eos_token_id"
        )
    pad = _first_id(tokenizer.pad_token_id, eos)
    end, bos = vocabulary.get(kind.special[kind.end_of_turn]), tokenizer.bos_token_id
    for key, value in (
        ("eos_token_id", eos),
        ("pad_token_id", pad),
        ("eot_token_id", end),
        ("bos_token_id", bos),
    ):
        if key not in stated or (stated[key] is None and key in _NEEDED):
            found[key] = _first_id(value)
    return found


def newline_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the one token that is a line end and nothing else, if there is one."""
    ids = tokenizer.encode("\n", add_special_tokens=False)
    return tuple(ids) if len(ids) == 1 else ()


def _mask_id(
    stated: Mapping[str, Any], kind: TokenizerKind, tokenizer: PreTrainedTokenizerBase, rows: int
) -> int | None:
    """Return the mask's id: the stated one if it is one of the tokenizer's, else the only one of those.

    Of a kind whose mask is appended, without either: the model's last row, if it is one behind the tokenizer.
    """
    declared, usual = tokenizer.mask_token_id, tokenizer.get_vocab().get(kind.special["mask"])
    known = dict.fromkeys(one for one in (declared, usual) if isinstance(one, int))
    said = stated.get("mask_token_id")
    if isinstance(said, int) and (said in known or not known):
        return said
    if said is not None:
        raise ModelLoadError(
            f"mask_token_id is {said} in config.json, {' or '.join(map(str, known))} in the tokenizer",
            hint=_TOGETHER,
        )
    if len(known) == 1:
        (only,) = known
        return only
    if stated.get("mask_token_ids") or stated.get("noise") == "gaussian":
        return None
    if kind.appended_mask and not known and rows == max(tokenizer.get_vocab().values()) + 2:
        return rows - 1
    raise ModelLoadError(
        f"config.json has no mask_token_id, and the tokenizer names {len(known) or 'no'} mask tokens"
        f" ({kind.special['mask']!r} is looked for, and its mask_token)",
        hint="add mask_token_id to config.json" + _likely(tokenizer),
    )


def _likely(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return what the mask may be, for a hint."""
    added = {text: number for text, number in tokenizer.get_added_vocab().items() if "mask" in text.lower()}
    return "".join(f"; is it {number}, {text!r}?" for text, number in added.items())


def _first_id(*found: Any) -> int | None:
    return next((one for one in found if isinstance(one, int)), None)
