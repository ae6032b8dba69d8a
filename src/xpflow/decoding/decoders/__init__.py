"""The table of decoders; the first is meant where none is named."""

from typing import Any

from xpflow.errors import DecodingError
from xpflow.plugins import Table

DECODERS: Table[Any] = Table(
    kind="decoder",
    group="xpflow.decoders",
    own={
        "mask_prediction": "xpflow.decoding.decoders.mask_prediction:DECODER",
        "flow": "xpflow.decoding.decoders.flow:DECODER",
        "threshold": "xpflow.decoding.decoders.threshold:DECODER",
        "factor": "xpflow.decoding.decoders.factor:DECODER",
        "entropy_bound": "xpflow.decoding.decoders.entropy_bound:DECODER",
        "soft_tokens": "xpflow.decoding.decoders.soft_tokens:DECODER",
        "remix": "xpflow.decoding.decoders.remix:DECODER",
        "token_editing": "xpflow.decoding.decoders.token_editing:DECODER",
        "token_to_mask": "xpflow.decoding.decoders.token_to_mask:DECODER",
        "klass": "xpflow.decoding.decoders.klass:DECODER",
        "dmax": "xpflow.decoding.decoders.dmax:DECODER",
        "path_planning": "xpflow.decoding.decoders.path_planning:DECODER",
        "ancestral": "xpflow.decoding.decoders.ancestral:DECODER",
        "credit": "xpflow.decoding.decoders.credit:DECODER",
        "saber": "xpflow.decoding.decoders.saber:DECODER",
        "dilated": "xpflow.decoding.decoders.dilated:DECODER",
        "wino": "xpflow.decoding.decoders.wino:DECODER",
        "slow_fast": "xpflow.decoding.decoders.slow_fast:DECODER",
        "adablock": "xpflow.decoding.decoders.adablock:DECODER",
        "latent_refinement": "xpflow.decoding.decoders.latent_refinement:DECODER",
        "drafts": "xpflow.decoding.decoders.drafts:DECODER",
        "unmasking": "xpflow.decoding.decoders.unmasking:DECODER",
        "dsl": "xpflow.decoding.decoders.dsl:DECODER",
        "composed": "xpflow.decoding.decoders.composed:DECODER",
        "composed_flow": "xpflow.decoding.decoders.composed_flow:DECODER",
    },
    accepts="xpflow.decoding.entry:Decoder",
    attribute="DECODER",
    error=DecodingError,
)
