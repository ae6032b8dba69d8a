"""Which keys of a config.json an architecture implements, and what may be said besides. Imports no torch.

A checkpoint says in config.json how its numbers are meant. A key that is skipped there changes every answer
and no error follows, so each key is one of three: implemented; neutral (nothing that is computed here depends
on it); or not implemented, which is fine as long as it has a value that asks for nothing. Everything else is
an error that names key, value and file. Null, {} and [] ask for nothing, whatever their key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xpflow.errors import ModelLoadError

Fields = Mapping[str, Any]
ROPE = ("rope_scaling", "rope_parameters")  # the old and the new name of one object


@dataclass(frozen=True, slots=True)
class Kind:
    """What values an implemented key takes, in words and as a test."""

    words: str
    test: Callable[[Any], bool]

    def or_null(self) -> Kind:
        """Return the kind that also takes null."""
        return Kind(f"{self.words}, or null", lambda value: value is None or self.test(value))


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


COUNT = Kind("a whole number from 1", lambda value: _whole(value, 1))
SIZE = Kind("a whole number from 0", lambda value: _whole(value, 0))
NUMBER = Kind("a finite number above 0", _number)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
ID = Kind("one token id", lambda value: _whole(value, 0)).or_null()
IDS = Kind(
    "a list of token ids", lambda value: isinstance(value, list) and all(_whole(one, 0) for one in value)
).or_null()
CLASSES = Kind(
    "a list of class names",
    lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
).or_null()
NOISE = Kind("'mask' or 'gaussian'", lambda value: value in ("mask", "gaussian")).or_null()

# What decoding asks of every model, see `MaskedDiffusionModel`.
SPECIAL: dict[str, Kind] = {
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id", "mask_token_id", "eot_token_id"), ID),
    **dict.fromkeys(("mask_token_ids", "suppress_token_ids"), IDS),
    "architectures": CLASSES,
    "noise": NOISE,
    "noise_scale": NUMBER,
}
# What nothing depends on here. `generate` is transformers' own: decoders here have settings of their own.
_FILE = (
    "auto_map",
    "dtype",
    "model_type",
    "name_or_path",
    "torch_dtype",
    "transformers_version",
)
_INTERFACE = (
    *("attn_implementation", "chunk_size_feed_forward", "output_attentions", "output_hidden_states"),
    *("return_dict", "tf_legacy_loss", "torchscript", "use_bfloat16", "use_cache"),
)
_TASK = (
    *("finetuning_task", "id2label", "label2id", "num_labels", "prefix", "problem_type"),
    *("task_specific_params", "tokenizer_class"),
)
_TRAINING = ("init_std", "initializer_range", "tie_encoder_decoder", "is_decoder", "is_encoder_decoder")
_GENERATE = (
    *("decoder_start_token_id", "sep_token_id", "max_length", "max_new_tokens", "min_length"),
    *("diversity_penalty", "do_sample", "early_stopping", "encoder_no_repeat_ngram_size"),
    *("exponential_decay_length_penalty", "length_penalty", "no_repeat_ngram_size", "num_beam_groups"),
    *("num_beams", "num_return_sequences", "output_scores", "remove_invalid_values", "repetition_penalty"),
    *("return_dict_in_generate", "temperature", "top_k", "top_p", "typical_p"),
)
ALIGNMENT = "xpflow_alignment"  # how a training run has aligned the weights, see aligned.py
NEUTRAL = frozenset((ALIGNMENT, *_FILE, *_INTERFACE, *_TASK, *_TRAINING, *_GENERATE))
ONLY: dict[str, tuple[Any, ...]] = {
    "tie_word_embeddings": (False,),
    "add_cross_attention": (False,),
    "pretraining_tp": (1,),
    "mlp_bias": (False,),
    "attention_bias": (False,),
    **dict.fromkeys(
        ("attention_dropout", "embedding_dropout", "residual_dropout", "output_dropout", "hidden_dropout"),
        (0.0,),
    ),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What has to hold between values, in words and as a test of all of them, published ones for absent."""

    words: str
    keys: tuple[str, ...]
    test: Callable[[Fields], bool]


def of_class(name: str) -> Rule:
    """Return the rule that `architectures`, where it says anything, names the class `name`."""
    return Rule(
        f"these weights would be read as those of a {name}",
        ("model_type", "architectures"),
        lambda values: _silent(values.get("architectures")) or name in values["architectures"],
    )


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of an architecture's config.json, besides those that every model may have.

    Args:
        published: values of the published model, for keys that are left out.
        implemented: key -> what values it takes.
        neutral: keys on which nothing depends that is computed here.
        only: key that is not implemented -> the values that ask for nothing.
        same: key that says again what others say -> the value that these give it.
        rules: what has to hold between implemented keys.
    """

    published: Fields
    implemented: Mapping[str, Kind]
    neutral: frozenset[str] = frozenset()
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    same: Mapping[str, Callable[[Fields], Any]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def checked(self, fields: Fields, file: object) -> dict[str, Any]:
        """Return the fields, those of a neutral rope object among them instead of in it.

        Raises:
            ModelLoadError: a key asks for what is not implemented; names key, value and `file`.
        """
        found = self._without_rope(fields, file)
        values = {**self.published, **found}
        for key, value in found.items():
            kind = self._kind(key)
            if kind and not kind.test(value):
                raise ModelLoadError(f"{file}: {key}={value!r}, expected {kind.words}", hint=_SAME_MODEL)
        for key, value in found.items():
            if not (self._kind(key) or _silent(value)):
                self._check_other(key, value, values, file)
        for rule in self.rules:
            if not rule.test(values):
                stated = ", ".join(f"{key}={values.get(key)!r}" for key in rule.keys)
                raise ModelLoadError(f"{file}: {stated}: {rule.words}", hint=_SAME_MODEL)
        return found

    def _kind(self, key: str) -> Kind | None:
        return self.implemented.get(key) or SPECIAL.get(key)

    def _check_other(self, key: str, value: Any, values: Fields, file: object) -> None:
        if key in self.same:
            expected = self.same[key](values)
            if value != expected:
                raise ModelLoadError(
                    f"{file}: {key}={value!r}, but other keys say {expected!r}", hint=_SAME_MODEL
                )
        elif not (key in self.neutral or key in NEUTRAL or key.startswith("_")):
            self._refuse(key, value, file)

    def _refuse(self, key: str, value: Any, file: object) -> None:
        neutral = {**ONLY, **self.only}.get(key)
        if neutral is None:
            raise ModelLoadError(
                f"{file}: {key}={value!r} is not implemented",
                hint=f"answers would be another model's; if {key} changes no number, take it out of the file",
            )
        if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in neutral):
            raise ModelLoadError(
                f"{file}: asks for {key}={value!r}, which is not implemented",
                hint=f"the native implementation covers {key} in {list(neutral)}, as in the published models",
            )

    def _without_rope(self, fields: Fields, file: object) -> dict[str, Any]:
        """Put what a rope object says beside the other keys, unless it stretches positions."""
        found = {key: value for key, value in fields.items() if key not in ROPE}
        for name in ROPE:
            said = fields.get(name)
            if said is None:
                continue
            if not isinstance(said, dict) or not _plain(said):
                raise ModelLoadError(
                    f"{file}: {name}={said!r} is not implemented",
                    hint="only the plain rotary embedding is: rope_type 'default', or 'linear' with factor 1",
                )
            for key in ("rope_theta", "partial_rotary_factor"):
                if key in said and found.setdefault(key, said[key]) != said[key]:
                    raise ModelLoadError(
                        f"{file}: {key}={found[key]!r}, but {name} has {said[key]!r}", hint=_SAME_MODEL
                    )
        return found


_SAME_MODEL = "config.json must be the one that was published with the weights"


def _silent(value: Any) -> bool:
    """Return whether a value says nothing."""
    return value is None or value in ({}, [])


def _plain(rope: Fields) -> bool:
    """Return whether a rope object leaves positions and frequencies as they are."""
    kinds = [rope[key] for key in ("rope_type", "type") if rope.get(key) is not None]
    known = {"rope_type", "type", "factor", "rope_theta", "partial_rotary_factor"}
    others = [key for key, value in rope.items() if key not in known and not _silent(value)]
    return (
        not others
        and rope.get("factor") in (None, 1)
        and all(kind in ("default", "linear") for kind in kinds)
    )
