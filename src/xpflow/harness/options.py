"""`--model_args` of lm_eval: the model, the decoder with its settings, and how likelihoods are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from xpflow.errors import ConfigError

# Of the harness's own keywords, what means nothing here.
IGNORED = ("max_batch_size",)
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class Options:
    """What a model is made of; keywords that are not among these are the decoder's settings.

    Args:
        pretrained: a model's name, hub id or folder.
        decoder: one of `xpflow decoders`; empty: the first of them. budget: steps / generation length.
        protocol: asks rows that are problems in its own words (`xpflow prompts`); empty: as lm_eval asks.
        policy: step sizes of a decoder that takes them.
        device: empty: a GPU where there is one. dtype: "auto" is the stored one on a GPU, else float32.
        batch_size: rows decoded together, or maskings in a forward; None: the decoder's own, 32.
        mc_num: maskings of every text that is scored. check_greedy: find out whether greedy decoding would
            give it, which costs a forward for every token.
        nfe_file: JSON lines with the NFE of every request.
        settings: of the decoder (`xpflow decoders NAME`), gen_length among them.
    """

    pretrained: str
    decoder: str = ""
    budget: str = "1/1"
    protocol: str = ""
    policy: str = ""
    seed: int = 0
    device: str = ""
    dtype: str = "auto"
    batch_size: int | None = None
    mc_num: int = 128
    check_greedy: bool = True
    nfe_file: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Options:
        """Read keywords as lm_eval hands them over: texts, numbers and truth values.

        Raises:
            ConfigError: there is no `pretrained`, or a value is of the wrong kind.
        """
        kinds = {one.name: str(one.type) for one in fields(cls) if one.name != "settings"}
        given = {name: value for name, value in arguments.items() if name not in IGNORED}
        if not given.get("pretrained"):
            raise ConfigError(
                "--model_args names no model", hint="--model_args pretrained=llada-micro,decoder=threshold"
            )
        if given.get("batch_size") == "auto":
            del given["batch_size"]
        if given.get("dtype", "auto") not in DTYPES:
            raise ConfigError(f"--model_args dtype={given['dtype']}", hint=f"one of {', '.join(DTYPES)}")
        known = {name: _value(name, kinds[name], given[name]) for name in given if name in kinds}
        rest = {name: value for name, value in given.items() if name not in kinds}
        return cls(**known, settings=rest)


def _value(name: str, kind: str, value: Any) -> Any:
    if value is None or (kind == "str" and isinstance(value, int | float) and not isinstance(value, bool)):
        return str(value) if value is not None else ("" if kind == "str" else None)
    if kind.startswith("int") and isinstance(value, str) and value.isdecimal():
        return int(value)
    wanted: type = {"str": str, "bool": bool}.get(kind, int)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise ConfigError(f"--model_args {name}={value!r}: expected {kind}", hint=f"write {name}=VALUE")
    return value
