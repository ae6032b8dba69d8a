"""Decoding of masked diffusion models: pure step functions over an explicit state, one decoder per file."""

from xpflow.decoding.decode import DecodeResult, decode
from xpflow.decoding.decoders import flow as _flow
from xpflow.decoding.decoders import mask_prediction as _mask_prediction
from xpflow.decoding.decoders import threshold as _threshold
from xpflow.decoding.policies.base import (
    Action,
    ConfidencePolicy,
    ConstantPolicy,
    Policy,
    PolicyInfo,
    load_policy,
)
from xpflow.decoding.policies.learned import LearnedPolicy, PolicyShape
from xpflow.decoding.registry import DECODERS, DecoderEntry, register, settings_from
from xpflow.decoding.settings import (
    DecodeSettings,
    FlowSettings,
    MaskPredictionSettings,
    ThresholdSettings,
    parse_budget,
)
from xpflow.traces.trace import Trace, load_traces, save_traces

__all__ = [
    "DECODERS",
    "Action",
    "ConfidencePolicy",
    "ConstantPolicy",
    "DecodeResult",
    "DecodeSettings",
    "DecoderEntry",
    "FlowSettings",
    "LearnedPolicy",
    "MaskPredictionSettings",
    "Policy",
    "PolicyInfo",
    "PolicyShape",
    "ThresholdSettings",
    "Trace",
    "decode",
    "load_policy",
    "load_traces",
    "parse_budget",
    "register",
    "save_traces",
    "settings_from",
]

_REGISTERED = (_flow, _mask_prediction, _threshold)  # importing a decoder registers it
