"""Opening a model as a study runs it: on its device, in its precision, tested where it was published."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xpflow.errors import ConfigError, nearest
from xpflow.models.device import chosen_dtype
from xpflow.models.load import load_model
from xpflow.models.registry import hub_model
from xpflow.models.selftest import require_sound
from xpflow.protocols.find import find_protocol
from xpflow.protocols.protocol import Protocol
from xpflow.study.config.inputs import ModelChoice
from xpflow.study.config.root import StudyConfig


def open_model(
    study: StudyConfig, source: str | Path, device: torch.device | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model (a name, or a folder) on `runtime.device` in `runtime.dtype`, in eval mode.

    `device` wins over the study's: the GPU of one process among several.

    Base weights are tested as `models[].self_test` says: published ones unless it is false, others if it is
    true. Weights that the study itself made (a folder that is no model's directory) are not tested. Raises
    ModelLoadError or HubError for weights that are not there, do not fit or predict nothing.
    """
    device = device or torch.device(study.runtime.device)
    model, tokenizer = load_model(source, device, chosen_dtype(study.runtime.dtype, device))
    if _is_tested(study, str(source)):
        nats = require_sound(model, tokenizer, str(source))
        print(f"self-test of {source}: {nats:.2f} nats per masked token", file=sys.stderr, flush=True)
    return model, tokenizer


def _is_tested(study: StudyConfig, source: str) -> bool:
    published, choice = hub_model(source) is not None, _choice(study, source)
    if choice is None or choice.self_test is None:
        return published
    if published and not choice.self_test:
        print(f"self-test of {source} is off (models[{choice.name}].self_test)", file=sys.stderr, flush=True)
    return choice.self_test


def _choice(study: StudyConfig, source: str) -> ModelChoice | None:
    """Return the study's entry whose base weights a source is."""
    for choice in study.models:
        if source == (choice.directory or choice.name):
            return choice
    return None


def set_up(study: StudyConfig) -> None:
    """Set the number of threads that the study gives a job."""
    torch.set_num_threads(study.runtime.threads)


def model_settings(study: StudyConfig, name: str) -> ModelChoice:
    """Return the study's settings of a model; raises ConfigError naming the nearest one."""
    for settings in study.models:
        if settings.name == name:
            return settings
    raise ConfigError(f"the study has no model {name!r}", hint=nearest(name, [m.name for m in study.models]))


def model_source(study: StudyConfig, name: str) -> str | Path:
    """Return where a model's base weights are: the study's directory for it, else the name itself."""
    for settings in study.models:
        if settings.name == name and settings.directory:
            return settings.directory
    return name


def model_protocol(study: StudyConfig, name: str | Path) -> Protocol:
    """Return the protocol of a model of the study, by its name or its folder; others have the default one."""
    names = {settings.name: settings.protocol for settings in study.models}
    folders = {settings.directory: settings.protocol for settings in study.models if settings.directory}
    return find_protocol({**folders, **names}.get(str(name), "micropy"))
