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
    },
    accepts="xpflow.decoding.entry:Decoder",
    attribute="DECODER",
    error=DecodingError,
)
