"""An alignment run in a folder: the aligned checkpoint in the published layout, and its log."""

from __future__ import annotations

import sys
from pathlib import Path

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.config.alignment import Variant
from xpflow.config.root import StudyConfig
from xpflow.errors import ConfigError, nearest
from xpflow.models.checkpoint import save_checkpoint
from xpflow.training.align import Aligner, AlignmentData, Row
from xpflow.training.opening import open_model
from xpflow.training.stage import model_settings, model_source


def align_to_folder(study: StudyConfig, model: str, variant: str, seed: int, data: Path, out: Path) -> None:
    """Align `model` on `data` and write checkpoint and `log.jsonl` into `out`; the state waits in
    `out`.state."""
    settings = model_settings(study, model)
    rows = AlignmentData.from_rows(read_jsonl(data))
    base, tokenizer = open_model(study, model_source(study, model))
    aligner = Aligner(base, rows, study.alignment, _variant(study, variant), settings.alignment == "full")
    state = out.with_name(out.name + ".state")

    def report(row: Row) -> None:
        shown = " ".join(
            f"{key} {row[key]:.4f}" for key in ("mse_unmasked", "acc_unmasked", "ce_masked", "ce_heldout")
        )
        print(f"align {model} {variant} update {row['update']}: {shown}", file=sys.stderr, flush=True)

    aligned, log = aligner.run(seed, report, state)
    save_checkpoint(aligned, tokenizer, out)
    write_jsonl(out / "log.jsonl", log)
    state.unlink(missing_ok=True)


def _variant(study: StudyConfig, name: str) -> Variant:
    for variant in study.alignment.variants:
        if variant.name == name:
            return variant
    names = [variant.name for variant in study.alignment.variants]
    raise ConfigError(f"the study has no alignment variant {name!r}", hint=nearest(name, names))
