"""A plan as plain values, for machines: bytes, seconds and FLOP, never rounded."""

from __future__ import annotations

from typing import Any

from xpflow.planning.costs import policy_costs
from xpflow.planning.hardware import Gpu
from xpflow.planning.plan import Entry, Plan
from xpflow.planning.remedies import remedies


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
            for stage in plan.stages
        ],
        "cells": [
            {"name": cell.name, "problems": cell.problems, "forwards": cell.forwards, "tokens": cell.tokens}
            for cell in plan.study.cells()
        ],
        "gpus": {gpu.name: _gpu(plan, gpu) for gpu in plan.gpus} if not plan.cpu else {},
        "disk": [{"what": space.what, "bytes": space.size, "fetched": space.fetched} for space in plan.disk],
        "grading_seconds": plan.grading_s,
        "assumptions": dict(plan.study.given.lines(plan.study.asked)),
    }


def _gpu(plan: Plan, gpu: Gpu) -> dict[str, Any]:
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
