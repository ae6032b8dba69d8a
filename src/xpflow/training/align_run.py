"""An alignment run in a folder: the aligned checkpoint in the published layout, and its log."""

from __future__ import annotations

import sys
from pathlib import Path

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.load import load_model
from xpflow.runtime.machine import Machine
from xpflow.runtime.models import model_source
from xpflow.runtime.team import joined
from xpflow.study.config.root import StudyConfig
from xpflow.training.align import Aligner, AlignmentData, Row, Variant
from xpflow.training.align_state import remove

SHARD_BYTES = 5_000_000_000  # largest file of a checkpoint that does not fit into one


def align_to_folder(
    study: StudyConfig, model: str, run: str, seed: int, data: Path, out: Path, start: Path | None = None
) -> None:
    """Train a run of a model on `data` and write checkpoint and `log.jsonl` into `out`.

    `start` is the folder of the weights that it starts from; without it they are the model's own.

    Called by every process of a job; the leader writes. The state waits in `out`.state.
    """
    full = study.model(model).training == "full"
    loss, rows = Variant.of(study.run(run)), AlignmentData.from_rows(read_jsonl(data))
    state = out.with_name(out.name + ".state")

    def report(row: Row) -> None:
        shown = " ".join(
            f"{key} {row[key]:.4f}" for key in ("mse_unmasked", "acc_unmasked", "ce_masked", "ce_heldout")
        )
        if machine.team.leads:
            print(f"train {model} {run} update {row['update']}: {shown}", file=sys.stderr, flush=True)

    with joined(study.runtime.device) as (team, device):
        machine = Machine.of(study.runtime, team, device)
        where = "cpu" if team.size > 1 and full else device  # sharded: a layer at a time leaves the CPU
        source = start or model_source(study, model)
        base, tokenizer = load_model(source, where, None)
        student = load_model(source, where, None)[0] if full and loss.kl_weight > 0 else base
        aligner = Aligner(base, rows, study.training, loss, full, student=student, machine=machine)
        aligned, log = aligner.run(seed, report, state)
        if team.leads:
            large = sum(tensor.nbytes for tensor in aligned.state_dict().values()) > SHARD_BYTES
            save_checkpoint(aligned, tokenizer, out, SHARD_BYTES if large else None)
            write_jsonl(out / "log.jsonl", log)
            remove(state)
