"""Decoding of masked diffusion models: pure step functions over an explicit state, one decoder per file."""

from xpflow.budget import parse_budget
from xpflow.decoding.decode import DecodeResult, decode
from xpflow.decoding.entry import Decoder, DecodeSettings
from xpflow.decoding.policies.base import Action, ConfidencePolicy, ConstantPolicy, Policy, PolicyInfo
from xpflow.decoding.policies.learned import LearnedPolicy, PolicyShape
from xpflow.decoding.policies.load import load_policy
from xpflow.decoding.registry import decoder_entry, settings_from
from xpflow.decoding.trace import Trace, load_traces, save_traces

__all__ = [
    "Action",
    "ConfidencePolicy",
    "ConstantPolicy",
    "DecodeResult",
    "DecodeSettings",
    "Decoder",
    "LearnedPolicy",
    "Policy",
    "PolicyInfo",
    "PolicyShape",
    "Trace",
    "decode",
    "decoder_entry",
    "load_policy",
    "load_traces",
    "parse_budget",
    "save_traces",
    "settings_from",
]
