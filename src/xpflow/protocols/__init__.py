"""The protocols by name: to add one, a file that defines it and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.errors import ConfigError
from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.protocols.protocol import Protocol

PROTOCOLS: Table[Protocol] = Table(
    kind="protocol",
    group="xpflow.protocols",
    own={
        "micropy": "xpflow.protocols.micropy:MICROPY",
        "llada-opencompass": "xpflow.protocols.llada:LLADA_OPENCOMPASS",
        "llada-v1": "xpflow.protocols.llada:LLADA_V1",
        "llada2-chat": "xpflow.protocols.llada2:LLADA2_CHAT",
        "llada-summaries": "xpflow.protocols.summaries:SUMMARIES",
        "lm-eval-instruct": "xpflow.protocols.lm_eval:LM_EVAL_INSTRUCT",
        "evalplus-chat": "xpflow.protocols.evalplus:EVALPLUS_CHAT",
    },
    accepts="xpflow.protocols.protocol:Protocol",
    attribute="PROTOCOL",
    error=ConfigError,
)
