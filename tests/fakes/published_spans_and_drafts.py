"""Plain batch-1 transcriptions, as in published_decoders.py, of decoders that look or commit elsewhere.

WINO looks at a shadow of the block and FreeDave at several drafts of it; SlowFast and AdaBlock commit in
spans of a block, and a learned policy wherever it says so. Legend: v probability of a held token in the
shadow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from statistics import fmean, pstdev

import torch
from torch import Tensor

from fakes.published_decoders import Task, best_first, entropy_of, read, surest


def look_with_shadow(task: Task, low: int, high: int) -> tuple[Tensor, Tensor]:
    """Run a pass with `low` to `high` once more behind the canvas, as masks; returns the logits of both.

    A place of the shadow sees what the place it stands for sees, but not that place, and all of the shadow.
    """
    task.passes += 1
    size, count = task.end, high - low
    part = [i // task.causal if task.causal else 0 for i in range(size)]
    sees = torch.zeros(size + count, size + count, dtype=torch.bool)
    for i in range(size):
        for j in range(size):
            sees[i, j] = part[j] <= part[i]
    for k in range(count):
        sees[size + k, :size] = sees[low + k, :size]
        sees[size + k, low + k] = False
        sees[size + k, size:] = True
    ids = torch.tensor([task.x[:size] + [task.mask] * count])
    places = torch.tensor([[*range(size), *range(low, high)]])
    logits = task.model(input_ids=ids, attention_mask=sees[None, None], position_ids=places).logits[0]
    return logits[:size], logits[size:]


def wino(
    task: Task,
    tau: float,
    verify: float,
    share: float = 0.7,
    limits: tuple[int, int] = (5, 20),
) -> tuple[list[int], int]:
    """WINO. limits: the least and the most tokens that the ceiling can be."""
    for low, high in task.spans():
        step, before = 0, 30
        while masks := task.masks(low, high):
            logits, shadow = look_with_shadow(task, low, high)
            last, limit = task.last(step, low, high), min(max(int(share * len(masks)), limits[0]), limits[1])
            tokens, c = read(logits, masks)
            chosen = masks if last else best_first(surest(masks, c, tau), c)[:limit]
            held = [i for i in range(low, high) if i not in masks]
            v = {i: float(shadow[i - low].softmax(-1)[task.x[i]]) for i in held}
            if len(chosen) > 1 and not last:
                doubtful = best_first([i for i in held if v[i] < verify], {i: -v[i] for i in held})
                for i in doubtful[: before - 1]:
                    task.x[i] = task.mask
            for i in chosen:
                task.x[i] = tokens[i]
            step, before = step + 1, len(chosen)
    return task.result()


def drafts(task: Task, count: int, one_first: bool = False) -> tuple[list[int], int]:
    """FreeDave on mask prediction. one_first: earlier code's second pass looks at one state only."""

    def after(state: list[int], logits: Tensor, step: int) -> list[int]:
        """Return the state that mask prediction's step makes of a state and its logits."""
        new, masks = list(state), [i for i in range(low, high) if state[i] == task.mask]
        tokens, c = read(logits, masks)
        for i in best_first(masks, c)[: task.quota(step)]:
            new[i] = tokens[i]
        return new

    for low, high in task.spans():
        step, looked, states = 0, 0, [task.x]
        while task.masks(low, high):
            several = task.model(input_ids=torch.tensor([state[: task.end] for state in states])).logits
            task.passes += 1
            looked += 1
            for state, logits in zip(states, several, strict=True):
                if state == task.x and task.masks(low, high):
                    task.x, step, known = after(state, logits, step), step + 1, logits
            states = [task.x]
            while len(states) < (1 if one_first and looked == 1 else count):
                states.append(after(states[-1], known, step + len(states) - 1))
    return task.result()


def slow_fast(
    task: Task,
    tau: float,
    reach: float,
    explore: int,
    window: int = 2,
    spread: float = 1.0,
    all_slow: bool = False,
    idle: bool = False,
    cut: bool = False,
) -> tuple[list[int], int]:
    """SlowFast. The public code takes all slow passes of a cycle although it knows the end, and when there is
    nothing to commit (idle); its fast passes but the first of a cycle cut off what is behind the span.
    """

    def commit(logits: Tensor, masks: list[int]) -> None:
        """Commit the confident masks where they are several, the best one otherwise."""
        tokens, c = read(logits, masks)
        sure = [i for i in masks if c[i] >= tau]
        for i in sure if len(sure) > 1 else best_first(masks, c)[:1]:
            task.x[i] = tokens[i]
        if task.last(task.passes - first - 1, low, high):
            rest = task.masks(low, high)
            tokens, _ = read(logits, rest)
            for i in rest:
                task.x[i] = tokens[i]

    for low, high in task.spans():
        start, first, whole = low, task.passes, task.end
        while task.masks(low, high):
            ends: list[int] = []
            end = None
            for _ in range(explore):
                masks = task.masks(start, high)
                if (end and not all_slow) or not (masks or idle):
                    break
                logits = task.look()
                _, c = read(logits, masks)
                far = [i for i in masks if c[i] >= reach]
                ends = [*ends, far[-1] + 1 if far else min(start + 1, high)][-window:]
                if end is None and len(ends) == window and pstdev(ends) < spread:
                    end = ends[-1]
                commit(logits, masks)
            end = end or int(fmean(ends))
            while masks := task.masks(start, end):
                commit(task.look(), masks)
                task.end = end if cut else whole
            start, task.end = end, whole
    return task.result()


def adablock(
    task: Task,
    tau: float,
    bound: float,
    delimiters: Collection[int] | None = None,
    span: int = 32,
    ahead: float = 0.25,
) -> tuple[list[int], int]:
    """AdaBlock. A span's first pass says where it ends. delimiters: none are the tokenizer's line ends."""
    delimiters = task.model.newline_token_ids if delimiters is None else delimiters
    for low, high in task.spans():
        step, start, end = 0, low, low
        while task.masks(low, high):
            logits = task.look()
            if not task.masks(start, end):
                start = end
                window = range(start, min(start + int(ahead * task.length), high))
                tokens, c = read(logits, window)
                found = best_first([i for i in window if tokens[i] in delimiters], c)
                sure = found and c[found[0]] >= bound
                end = found[0] + 1 if sure else min(start + span, high)
            masks = task.masks(low, high) if task.last(step, low, high) else task.masks(start, end)
            tokens, c = read(logits, masks)
            for i in masks if task.last(step, low, high) else surest(masks, c, tau, strict=False):
                task.x[i] = tokens[i]
            step += 1
    return task.result()


def features_of(logits: Tensor, decided: bool, clock: float) -> list[float]:
    """Return what our policies look at in place of a response's confidences, eight numbers."""
    top = logits.softmax(-1).sort(descending=True).values[:4]
    return [*top.tolist(), entropy_of((top / top.sum()).log()) / math.log(4), float(top[0] - top[1]),
            float(decided), clock]  # fmt: skip


def unmasking(
    task: Task,
    policy: Callable[[list[list[float]]], list[float]],
    temperature: float = 0.0,
    draw: Callable[[int], Tensor] | None = None,
    clock: str = "block",
) -> tuple[list[int], int]:
    """A policy's chances of the places of a block, by coins or (temperature 0) where they are one half.

    clock: what the policy is told of time restarts with each block, or does not ("global").
    """
    spans = list(all_spans(task))
    total = sum(task.steps(low, high) for low, high in spans)
    for number, (low, high) in enumerate(task.spans()):
        step, before = 0, sum(task.steps(*span) for span in spans[:number])
        while masks := task.masks(low, high):
            logits = task.look()
            tokens, _ = read(logits, masks)
            steps, now = (task.steps(low, high), step) if clock == "block" else (total, before + step)
            rows = [
                features_of(logits[i], task.x[i] != task.mask, now / max(steps - 1, 1))
                for i in range(low, high)
            ]
            chance = dict(zip(range(low, high), policy(rows), strict=True))
            if temperature:
                assert draw is not None
                coins = dict(zip(range(low, high), draw(task.block)[-(high - low) :].tolist(), strict=True))
                chosen = [i for i in masks if coins[i] < tempered(chance[i], temperature)]
            else:
                chosen = [i for i in masks if chance[i] >= 0.5]
            if task.last(step, low, high):
                chosen = masks
            for i in chosen or best_first(masks, chance)[:1]:
                task.x[i] = tokens[i]
            step += 1
    return task.result()


def all_spans(task: Task) -> list[tuple[int, int]]:
    """Return the open places of every block, also of those behind an EOS."""
    first = task.start // task.block * task.block if task.causal else task.start
    return [(max(low, task.start), low + task.block) for low in range(first, len(task.x), task.block)]


def tempered(p: float, temperature: float) -> float:
    """Return sigma(logit(p) / temperature), p at least 1e-6 away from 0 and 1."""
    p = min(max(p, 1e-6), 1 - 1e-6)
    return 1 / (1 + math.exp(-math.log(p / (1 - p)) / temperature))
