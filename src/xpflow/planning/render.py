"""A plan as text and as plain values for machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from xpflow.planning.assumptions import Gpu
from xpflow.planning.plan import Entry, Plan
from xpflow.planning.remedies import policy_costs, remedies
from xpflow.planning.stages import Stage
from xpflow.planning.texts import Texts

TERA, PETA, EXA, ZETTA = 1e12, 1e15, 1e18, 1e21


def render_plan(plan: Plan, *, cells: bool = False) -> str:
    """Return the whole plan; with `cells` every decoding of the evaluation has a line of its own."""
    return "\n".join(_sections(plan, cells)) + "\n"


def _sections(plan: Plan, cells: bool) -> Iterator[str]:
    config = plan.study.config
    runtime = config.runtime
    many = f"{runtime.processes} process" + ("es" if runtime.processes > 1 else "")
    yield f"Plan of study {config.study.name}: {runtime.device}, {runtime.dtype}, {many}"
    if plan.cpu:
        yield "This is a CPU study: sizes and work follow. Hours and memory need runtime.device: cuda."
    if config.models:
        yield from _block("Models", ["model", "parameters", "active", "weights", "FLOP/token"], _models(plan))
    yield from _block("Work", ["stage", "what", "forwards", "FLOP"], _work(plan))
    if cells:
        head = ["cell", "problems", "forwards", "tokens", "FLOP"]
        yield from _block("Evaluation, every cell", head, _cells(plan))
    for gpu in plan.gpus if not plan.cpu else ():
        yield from _gpu(plan, gpu)
        yield from _policy(plan, gpu)
    yield from _block("Disk", ["what", "size"], _disk(plan))
    yield from _block("Assumptions", ["what", "value"], plan.study.given.lines(plan.study.asked))
    workers, programs = config.grading.workers, sum(stage.programs for stage in plan.stages)
    yield ""
    if config.models:
        cost = f"{programs:,} programs, {hours(plan.grading_s)} with {workers} workers"
        yield f"Grading runs on the CPU: {cost}."
    yield "Tables and figures take minutes on the CPU."


def _models(plan: Plan) -> Iterator[tuple[str, ...]]:
    for name, arch in plan.study.models.items():
        weights = f"{arch.parameters * plan.study.weight_bytes / 1e9:.2f} GB"
        flop = flops(2.0 * (arch.active_body + arch.table))
        yield name, f"{arch.parameters:,}", f"{arch.active:,}", weights, flop


def _work(plan: Plan) -> Iterator[tuple[str, ...]]:
    for stage in _stages(plan):
        total = sum(work.total_flop for work in stage.works(1))
        yield stage.name, stage.detail, f"{stage.forwards:,.0f}", flops(total)


def _stages(plan: Plan) -> list[Stage | Texts]:
    """Return all that is worked on, on the device or not."""
    return [*plan.stages, *plan.study.texts()]


def _cells(plan: Plan) -> Iterator[tuple[str, ...]]:
    for cell in plan.study.workloads().values():
        total = sum(work.total_flop for work in cell.works())
        yield cell.name, f"{cell.problems:,}", f"{cell.forwards:,}", f"{cell.tokens:,}", flops(total)


def _gpu(plan: Plan, gpu: Gpu) -> Iterator[str]:
    machine = plan.machine(gpu)
    title = (
        f"{gpu.name}: peak memory of a GPU ({machine.usable / 1e9:.0f} of {gpu.memory / 1e9:.0f} GB usable), "
        f"and time at {machine.flop_per_s / TERA:.0f} TFLOP/s and {machine.bytes_per_s / TERA:.2f} TB/s"
    )
    head = ["stage", *(f"{count} GPU{'s' if count > 1 else ''}" for count in plan.counts)]
    columns = [plan.find(gpu.name, count) for count in plan.counts]
    rows = [[stage.name, *(_cell(column[i]) for column in columns)] for i, stage in enumerate(plan.stages)]
    rows.append(["all, one after the other", *(_total(column) for column in columns)])
    yield from _block(title, head, rows)


def _cell(entry: Entry) -> str:
    size = f"{entry.memory.total / 1e9:.0f} GB"
    return f"{size}, {hours(entry.seconds)}" if entry.fits else f"{size}, DOES NOT FIT"


def _total(column: Sequence[Entry]) -> str:
    left_out = sum(not entry.fits for entry in column)
    text = hours(sum(entry.seconds for entry in column if entry.fits))
    return f"{text} without {left_out}" if left_out else text


def _policy(plan: Plan, gpu: Gpu) -> Iterator[str]:
    found = policy_costs(plan.study, plan.machine(gpu))
    if not found:
        return
    processes, shards = plan.study.config.runtime.processes, found[0].stage.shards
    rows = []
    for cost in found:
        changed = ", ".join(f"{key}: {value}" for key, value in cost.changes.items()) or "as configured"
        what = f"{cost.stage.updates:,} x {cost.stage.rollouts.problems} x {cost.stage.steps}"
        rows.append((changed, what, f"{cost.stage.forwards:,.0f}", flops(cost.flop), hours(cost.seconds)))
    title = (
        f"Policy training on {gpu.name}: an update's rollouts are cut into {shards} shards, so at most that "
        f"many GPUs share them; here {processes}"
    )
    yield from _block(title, ["setting", "updates x rollouts x steps", "forwards", "FLOP", "time"], rows)


def _disk(plan: Plan) -> Iterator[tuple[str, str]]:
    for space in plan.disk:
        yield space.what, size_text(space.size)
    yield "together", size_text(sum(space.size for space in plan.disk))
    yield "of it fetched", size_text(sum(space.size for space in plan.disk if space.fetched))


def _block(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    table = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    yield ""
    yield title
    yield ""
    for number, row in enumerate(table):
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        yield "| " + " | ".join(cells) + " |"
        if not number:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def hours(seconds: float) -> str:
    """Return a duration with a fitting unit: seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.2g} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"


def flops(value: float) -> str:
    """Return floating-point operations with a prefix, as 1.39 ZFLOP."""
    for size, prefix in ((ZETTA, "Z"), (EXA, "E"), (PETA, "P"), (TERA, "T"), (1e9, "G")):
        if value >= size:
            return f"{value / size:.3g} {prefix}FLOP"
    return f"{value / 1e6:.3g} MFLOP"


def size_text(size: float) -> str:
    """Return bytes as GB, MB or kB."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1e3:.0f} kB"


def plan_values(plan: Plan) -> dict[str, Any]:
    """Return the whole plan as JSON values."""
    config = plan.study.config
    return {
        "study": config.study.name,
        "device": config.runtime.device,
        "processes": config.runtime.processes,
        "models": {
            name: {
                "parameters": arch.parameters,
                "active_parameters": arch.active,
                "weight_bytes": arch.parameters * plan.study.weight_bytes,
            }
            for name, arch in plan.study.models.items()
        },
        "stages": [
            {
                "name": stage.name,
                "detail": stage.detail,
                "forwards": stage.forwards,
                "programs": stage.programs,
                "flop": sum(work.total_flop for work in stage.works(1)),
            }
            for stage in _stages(plan)
        ],
        "cells": [
            {"name": cell.name, "problems": cell.problems, "forwards": cell.forwards, "tokens": cell.tokens}
            for cell in plan.study.workloads().values()
        ],
        "gpus": {gpu.name: _gpu_values(plan, gpu) for gpu in plan.gpus} if not plan.cpu else {},
        "disk": [{"what": space.what, "bytes": space.size, "fetched": space.fetched} for space in plan.disk],
        "grading_seconds": plan.grading_s,
        "assumptions": dict(plan.study.given.lines(plan.study.asked)),
    }


def _gpu_values(plan: Plan, gpu: Gpu) -> dict[str, Any]:
    machine = plan.machine(gpu)
    costs = policy_costs(plan.study, machine)
    entries = [entry for entry in plan.entries if entry.gpu == gpu.name]
    return {
        "usable_bytes": machine.usable,
        "flop_per_s": machine.flop_per_s,
        "bytes_per_s": machine.bytes_per_s,
        "entries": [_entry(entry) for entry in entries],
        "policy": [
            {
                "changes": cost.changes,
                "forwards": cost.stage.forwards,
                "flop": cost.flop,
                "seconds": cost.seconds,
            }
            for cost in costs
        ],
        "would_fit": [dict(way.changes) for way in remedies(plan.study.config, plan.study.given, machine)]
        if any(not entry.fits for entry in entries)
        else [],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "stage": entry.stage.name,
        "gpus": entry.gpus,
        "seconds": entry.seconds,
        "memory_bytes": entry.memory.total,
        "memory": dict(entry.memory.parts),
        "fits": entry.fits,
    }
