"""Plain batch-1 transcriptions of the field's decoders, written from their descriptions, for token identity.

Loops over positions and lists; they know a model's forward, its table of embeddings and three of its numbers,
and nothing of our states, blocks or batching. Defects of public code are off unless an argument asks for
them; what our decoders do otherwise on purpose is an argument too. Equal confidences: the lowest position
first. Legend: i position, c confidence, p distribution, H entropy in nats, m the mask's embedding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor


class Task:
    """One prompt: its canvas, the blocks in which it is decoded, and the passes that were run.

    block: length of a block, relative to the response (bidirectional models); a block-causal model has its
    own, counted from position 0, sees nothing behind the current one and stops after a block with an EOS.
    budget: steps per open position after which a block is filled; none: it goes on until it is clean.
    """

    def __init__(
        self, model: Any, prompt: list[int], length: int, block: int, budget: str | None = None
    ) -> None:
        self.model, self.start, self.length = model, len(prompt), length
        self.mask, self.eos = model.config.mask_token_id, model.config.eos_token_id
        self.table = model.get_input_embeddings().weight.detach()
        self.causal = getattr(model.config, "block_length", None) or 0
        self.block = self.causal or block
        self.budget = None if budget is None else Fraction(budget)
        size = self.start + length
        self.x = prompt + [self.mask] * (
            (-(-size // self.block) * self.block if self.causal else size) - self.start
        )
        self.passes = 0

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield first and one past the last open position of every block."""
        first = self.start // self.block * self.block if self.causal else self.start
        for low in range(first, len(self.x), self.block):
            self.end = low + self.block if self.causal else len(self.x)
            yield max(low, self.start), low + self.block
            if self.causal and self.eos in self.x[self.start : low + self.block]:
                return

    def masks(self, low: int, high: int) -> list[int]:
        """Return the masks of a block."""
        return [i for i in range(low, high) if self.x[i] == self.mask]

    def steps(self, low: int, high: int) -> int:
        """Return the steps of a block."""
        return math.ceil((high - low) * (self.budget or 1))

    def quota(self, step: int) -> int:
        """Return how many tokens mask prediction commits in a step."""
        steps = int(self.block * (self.budget or 1))
        return max(1, self.block // steps + (step < self.block % steps))

    def last(self, step: int, low: int, high: int) -> bool:
        """Return whether a block is filled in this step."""
        return self.budget is not None and step + 1 >= self.steps(low, high)

    def look(self, embeddings: Tensor | None = None) -> Tensor:
        """Run a pass over what can be seen; returns logits `[S, V]`."""
        self.passes += 1
        if embeddings is None:
            return self.model(input_ids=torch.tensor([self.x[: self.end]])).logits[0]
        return self.model(inputs_embeds=embeddings[None]).logits[0]

    def embedded(self, other: dict[int, Tensor]) -> Tensor:
        """Return the embeddings of the canvas, with others at some positions."""
        embeddings = self.table[torch.tensor(self.x[: self.end])].clone()
        for i, vector in other.items():
            embeddings[i] = vector
        return embeddings

    def result(self) -> tuple[list[int], int]:
        """Return the new tokens, all EOS behind the first one where that ends an answer, and the passes."""
        new = self.x[self.start : self.start + self.length]
        if self.causal and self.eos in new:
            new = new[: new.index(self.eos)] + [self.eos] * (len(new) - new.index(self.eos))
        return new, self.passes


Found = tuple[dict[int, int], dict[int, float]]


def read(logits: Tensor, places: Any) -> Found:
    """Return argmax and its probability at some positions."""
    c, tokens = logits[list(places)].softmax(-1).max(-1)
    return dict(zip(places, tokens.tolist(), strict=True)), dict(zip(places, c.tolist(), strict=True))


def best_first(places: list[int], score: dict[int, float]) -> list[int]:
    return sorted(places, key=lambda i: (-score[i], i))


def surest(masks: list[int], c: dict[int, float], threshold: float, strict: bool = True) -> list[int]:
    """Return the masks above a threshold, and the best in any case."""
    sure = [i for i in masks if (c[i] > threshold if strict else c[i] >= threshold)]
    return sure or best_first(masks, c)[:1]


def entropy_of(logits: Tensor) -> float:
    p = logits.softmax(-1)
    return -sum(one * math.log(one) for one in p.tolist() if one > 0)


def factor(task: Task, f: float, exempt_last: bool = False) -> tuple[list[int], int]:
    """Fast-dLLM's factor strategy. exempt_last: as in public code."""
    for low, high in task.spans():
        step = 0
        while masks := task.masks(low, high):
            tokens, c = read(task.look(), masks)
            ranked, count = best_first(masks, c), 0
            while count < len(ranked) and (count + 2) * (1 - c[ranked[count]]) <= f:
                count += 1
            count = max(count, 1)
            if (exempt_last and count == len(ranked) - 1) or task.last(step, low, high):
                count = len(ranked)
            for i in ranked[:count]:
                task.x[i] = tokens[i]
            step += 1
    return task.result()


def within_entropy(
    ranked: list[int], h: dict[int, float], gamma: float, largest: str = "running"
) -> list[int]:
    """Return the first positions whose entropies fit, the largest aside, one at least.

    largest: "own", each position's own entropy, is what a maximum over a batch of one gives.
    """
    total, most, chosen = 0.0, 0.0, []
    for i in ranked:
        total += h[i]
        most = max(most, h[i]) if largest == "running" else h[i]
        if total - most > gamma:
            break
        chosen.append(i)
    return chosen or ranked[:1]


def entropy_bound(
    task: Task, gamma: float, order: str = "entropy", largest: str = "running"
) -> tuple[list[int], int]:
    """EB-Sampler over a block."""
    for low, high in task.spans():
        step = 0
        while masks := task.masks(low, high):
            logits = task.look()
            tokens, c = read(logits, masks)
            h = {i: entropy_of(logits[i]) for i in masks}
            ranked = best_first(masks, c if order == "confidence" else {i: -h[i] for i in masks})
            for i in ranked if task.last(step, low, high) else within_entropy(ranked, h, gamma, largest):
                task.x[i] = tokens[i]
            step += 1
    return task.result()


def soft_vector(task: Task, logits: Tensor, weight: float, top: int, geometry: str) -> Tensor:
    """Return what stands at a mask after a pass: between m and the mean of the likeliest tokens."""
    p, m = logits.softmax(-1), task.table[task.mask]
    ids = sorted(range(len(p)), key=lambda v: -float(p[v]))[:top]
    u = sum(float(p[v]) * task.table[v] for v in ids) / float(sum(p[v] for v in ids))
    line = (1 - weight) * m + weight * u
    if geometry == "linear" or weight == 0:
        return line
    if geometry == "at_norm":
        return line * m.norm() / line.norm()
    angle = torch.arccos((m @ u / m.norm() / u.norm()).clamp(-1, 1))
    parts = ((1 - weight) * angle).sin() * m / m.norm() + (weight * angle).sin() * u / u.norm()
    return m.norm() * parts / angle.sin()


def soft_tokens(
    task: Task,
    weight: float,
    top: int,
    geometry: str = "spherical",
    rule: tuple[str, float] = ("threshold", 0.9),
    sigmoid: tuple[float, float] | None = None,
) -> tuple[list[int], int]:
    """Rethinking soft tokens; sigmoid (slope, center): Soft-Masked's weight. Masks of the block are mixed."""
    for low, high in task.spans():
        step, mixed = 0, {}
        while masks := task.masks(low, high):
            logits = task.look(task.embedded(mixed))
            tokens, c = read(logits, masks)
            if task.last(step, low, high):
                chosen = masks
            elif rule[0] == "quota":
                chosen = best_first(masks, c)[: task.quota(step)]
            elif rule[0] == "entropy":
                h = {i: entropy_of(logits[i]) for i in masks}
                chosen = within_entropy(best_first(masks, {i: -h[i] for i in masks}), h, rule[1])
            else:
                chosen = surest(masks, c, rule[1], strict=False)
            for i in chosen:
                task.x[i] = tokens[i]
            mixed = {}
            for i in task.masks(low, high):
                share = weight
                if sigmoid:
                    share /= 1 + math.exp(-sigmoid[0] * (-entropy_of(logits[i]) - sigmoid[1]))
                mixed[i] = soft_vector(task, logits[i], share, top, geometry)
            step += 1
    return task.result()


def js(p: Tensor, q: Tensor) -> float:
    """Return the Jensen-Shannon divergence in nats; q may be all 0."""
    middle, total = (p + q) / 2, 0.0
    for one in (p, q):
        some = one > 0
        total += float((one[some] * (one[some] / middle[some]).log()).sum()) / 2
    return total


def remix_vector(task: Task, p: Tensor, beta: float) -> Tensor:
    """Return (1 - beta) m + beta (the likeliest tokens, unnormalised, and m for the rest)."""
    m, bound, part, mass = task.table[task.mask], min(max(2 * float(p.max()), 0.2), 0.9), 0.0, 0.0
    for rank, v in enumerate(p.argsort(descending=True, stable=True)[:50].tolist()):
        if rank and mass + float(p[v]) > bound:
            break
        part, mass = part + p[v] * task.table[v], mass + float(p[v])
    return (1 - beta) * m + beta * (part + (1 - mass) * m)


def remix(
    task: Task,
    tau: float,
    beta: float,
    reject: float,
    limits: tuple[int, int] = (5, 20),
    restart: bool = False,
) -> tuple[list[int], int]:
    """ReMix. Two plain passes in the first block, one in others, and JS against another block's last p;
    restart: every block begins with one plain pass and no p before it.
    """
    before: dict[int, Tensor] | None = None
    for low, high in task.spans():
        step, mixes = 0, False
        before = None if restart else before
        while masks := task.masks(low, high):
            soft = {i: remix_vector(task, before[i], beta) for i in masks} if mixes else {}
            logits = task.look(task.embedded(soft))
            tokens, c = read(logits, masks)
            limit = min(max(int(0.7 * len(masks)), limits[0]), limits[1])
            chosen = best_first(surest(masks, c, tau), c)[:limit]
            for i in masks if task.last(step, low, high) else chosen:
                task.x[i] = tokens[i]
            now = {i: logits[i].softmax(-1) for i in range(low, task.end)}
            if before is not None:
                for i in task.masks(low, high):
                    if js(now[i], before[i]) > reject:
                        now[i] = torch.zeros_like(now[i])
            mixes = before is not None or restart
            before, step = now, step + 1
    return task.result()


def refined_vector(task: Task, logits: Tensor, weight: float, top_p: float) -> Tensor:
    """Return (1 - a) m + a (the nucleus's mean), a = weight (1 - H / log V). LRD's Eq. 3-4."""
    p, m, mass, part = logits.softmax(-1), task.table[task.mask], 0.0, 0.0
    for v in sorted(range(len(p)), key=lambda v: -float(p[v])):
        if mass >= top_p:
            break
        part, mass = part + p[v] * task.table[v], mass + float(p[v])
    a = weight * (1 - entropy_of(logits) / math.log(len(p)))
    return (1 - a) * m + a * part / mass


def kl(p: Tensor, q: Tensor) -> float:
    """Return KL(p || q) in nats, never below 0; what underflows in q is the smallest normal number."""
    some, tiny = p > 0, torch.finfo(q.dtype).tiny
    return max(0.0, float((p[some] * (p[some].log() - q[some].clamp(min=tiny).log())).sum()))


def latent_refinement(
    task: Task,
    weight: float,
    refine: int,
    settled: float = 0.1,
    top_p: float = 0.9,
    per_step: int = 1,
    stop: float = 0.0,
    over: str = "block",
    at_once: bool = False,
) -> tuple[list[int], int]:
    """LRD. over: the places whose KL counts (Eq. 6), the block's or its masks.

    at_once: the pass that ends refinement commits already, as Eq. 7 can be read.
    """
    for low, high in task.spans():
        step, ready, before, mixed = 0, refine == 0, {}, {}
        while masks := task.masks(low, high):
            logits = task.look(task.embedded(mixed))
            p = {i: logits[i].softmax(-1) for i in range(low, high)}
            places = masks if over == "masks" else range(low, high)
            moved = sum(kl(p[i], before[i]) for i in places) / len(places) if before else math.inf
            over_now = moved < settled or step + 1 >= refine
            tokens, _ = read(logits, masks)
            chosen = []
            if task.last(step, low, high) or (ready and moved < stop):
                chosen = masks
            elif ready or (at_once and over_now):
                chosen = best_first(masks, {i: -entropy_of(logits[i]) for i in masks})[:per_step]
            for i in chosen:
                task.x[i] = tokens[i]
            mixed = {i: refined_vector(task, logits[i], weight, top_p) for i in task.masks(low, high)}
            step, ready, before = step + 1, ready or over_now, p
    return task.result()


def token_editing(task: Task, tau: float, edit: float, post: int = 16) -> tuple[list[int], int]:
    """LLaDA2.1: masks to tokens and tokens to tokens, until a pass over a whole block edits nothing."""
    for low, high in task.spans():
        step = looks = 0
        while (masks := task.masks(low, high)) or looks < post:
            tokens, c = read(task.look(), range(low, high))
            held = [i for i in range(low, high) if i not in masks]
            edits = [i for i in held if tokens[i] != task.x[i] and c[i] > edit]
            chosen = surest(masks, c, tau) if masks else []
            for i in (masks if task.last(step, low, high) else chosen) + edits:
                task.x[i] = tokens[i]
            step, looks = step + 1, looks + (not masks)
            if not masks and not edits:
                break
    return task.result()


def token_to_mask(
    task: Task,
    tau: float,
    trigger: str,
    bound: float,
    share: float = 0.25,
    times: int = 3,
    post: int = 16,
) -> tuple[list[int], int]:
    """T2M: suspicious tokens become masks again, the worst of them first."""
    for low, high in task.spans():
        step = looks = 0
        remasked, before = dict.fromkeys(range(low, high), 0), {}
        while (masks := task.masks(low, high)) or looks < post:
            logits, last = task.look(), task.last(step, low, high)
            tokens, c = read(logits, range(low, high))
            held = [i for i in range(low, high) if i not in masks]
            g = {i: float(logits[i].softmax(-1)[task.x[i]]) for i in held}
            if trigger == "low_prob":
                bad = {i: -g[i] for i in held if g[i] < bound}
            elif trigger == "t2t":
                bad = {i: c[i] for i in held if tokens[i] != task.x[i] and c[i] > bound}
            else:
                bad = {i: before[i] - g[i] for i in held if before[i] - g[i] > bound}
            able = best_first([i for i in bad if remasked[i] < times], bad)
            worst = [] if last else able[: max(1, int(share * len(held)))]
            chosen = masks if last else surest(masks, c, tau) if masks else []
            before = g | {i: c[i] for i in chosen}
            for i in chosen:
                task.x[i] = tokens[i]
            for i in worst:
                task.x[i], remasked[i] = task.mask, remasked[i] + 1
            step, looks = step + 1, looks + (not masks)
            if not masks and not worst:
                break
    return task.result()


def klass(
    task: Task,
    tau: float,
    kappa: float,
    history: int = 2,
    exact_steps: bool = False,
    restart: bool = False,
) -> tuple[list[int], int]:
    """KLASS. exact_steps: the published loop, which may leave masks; restart: a history for each block."""
    old, ring = {}, {}
    for low, high in task.spans():
        step = 0
        if restart:
            old, ring = {}, {}
        while masks := task.masks(low, high):
            if exact_steps and step == task.steps(low, high):
                break
            logits = task.look().double()
            tokens, c = read(logits, masks)
            for i in range(low, task.end):
                p = logits[i].softmax(-1)
                q = old.get(i, torch.zeros_like(p))
                ring[i] = [
                    *ring.get(i, [0.0] * history)[1:],
                    float((p * ((p + 1e-12).log() - (q + 1e-12).log())).sum()),
                ]
                old[i] = p
            ready = [i for i in masks if c[i] > tau and all(one < kappa for one in ring[i])]
            if step < history - 1 or not ready:
                ready = best_first(masks, c)[: task.quota(step)]
            for i in masks if task.last(step, low, high) and not exact_steps else ready:
                task.x[i] = tokens[i]
            step += 1
    return task.result()


def credit(
    task: Task, tau: float, alpha: float, beta: float, gamma: float, close: float | None = None
) -> tuple[list[int], int]:
    """CreditDecoding. close: masks that near the best go too (dInfer's threshold)."""
    for low, high in task.spans():
        step, sums = 0, {}
        while masks := task.masks(low, high):
            logits = task.look()
            tokens, c = read(logits, masks)
            fused = logits.clone()
            for i in masks:
                mine = {v: beta * one for v, one in sums.get(i, {}).items()}
                mine[tokens[i]] = mine.get(tokens[i], 0.0) + c[i] ** gamma
                for v, one in mine.items():
                    fused[i, v] += alpha * math.log1p(one)
                sums[i] = mine
            tokens, c = read(fused, masks)
            bound = tau if close is None else min(tau, max(c.values()) - close)
            for i in masks if task.last(step, low, high) else surest(masks, c, bound, strict=False):
                task.x[i] = tokens[i]
            step += 1
    return task.result()


def dmax(
    task: Task, tau: float, stop: float | None = 0.9, soft: bool = True, leave_masks: bool = False
) -> tuple[list[int], int]:
    """DMax. leave_masks: it may stop before all masks are gone, as in public code."""
    m = task.table[task.mask]
    for low, high in task.spans():
        vectors: dict[int, Tensor] = {}
        limit = task.block if task.budget is None else task.steps(low, high)
        for step in range(limit):
            logits, before = task.look(task.embedded(vectors)), list(task.x)
            tokens, c = read(logits, range(low, high))
            masks = task.masks(low, high)
            count = next((n for n, i in enumerate(masks) if c[i] < tau), len(masks))
            left = [] if task.last(step, low, high) else masks[max(count, 1) :]
            for i in range(low, high):
                if i not in left:
                    task.x[i] = tokens[i]
            sure = stop is not None and all(one >= stop for one in c.values())
            if (sure or task.x == before) and (leave_masks or not left):
                break
            vectors = {}
            for i in range(low, high):
                if soft and i not in left:
                    e = task.table[task.x[i]]
                    mixed = c[i] * e + (1 - c[i]) * m
                    vectors[i] = mixed / mixed.norm() * (c[i] * e.norm() + (1 - c[i]) * m.norm())
    return task.result()


def path_planning(
    task: Task, eta: float, signal: str = "held", strict_cut: bool = False
) -> tuple[list[int], int]:
    """P2. signal: "top1" as in public code; strict_cut: its cut, which masks no tie."""
    for low, high in task.spans():
        steps, places = task.steps(low, high), range(low, high)
        for step in range(1, steps + 1):
            logits = task.look()
            tokens, c = read(logits, places)
            masks, score = task.masks(low, high), {}
            for i in places:
                p = c[i] if i in masks or signal == "top1" else float(logits[i].softmax(-1)[task.x[i]])
                score[i] = math.log(max(p, 1e-300)) * (1 if i in masks else eta)
            count = len(places) * (steps - step) // steps
            worst = sorted(places, key=lambda i: (score[i], i not in masks, -i))
            lowest = set(worst[:count])
            if strict_cut and count < len(places):
                lowest = {i for i in places if score[i] < score[worst[count]]}
            for i in places:
                task.x[i] = task.mask if i in lowest else tokens[i] if i in masks else task.x[i]
    return task.result()


def ancestral(
    task: Task,
    draw: Callable[[int], Tensor],
    remask: str = "never",
    eta: float = 0.0,
    loop: tuple[float, float, float] = (0.55, 0.05, 0.9),
    noise_removal: bool = False,
) -> tuple[list[int], int]:
    """MDLM and ReMDM with argmax tokens. draw(count): coins in [0, 1), one per place of a block.

    noise_removal: one more pass takes what is left, as in public code; else nothing is left for it.
    """
    on, off, most = loop
    for low, high in task.spans():
        steps, drawn, step = task.steps(low, high), {}, 0
        while step < steps and (remask != "never" or task.masks(low, high)):
            t, s = 1 - step / steps, 1 - (step + 1) / steps
            a_t, a_s = 1 - t, 1 - s
            looping = remask == "loop" and on >= t > off + 1e-9
            if remask == "loop":
                a_t, a_s = (
                    most * (1 - one) / (1 - on) if t > on else most if looping else 1 - (1 - most) * one / off
                    for one in (t, s)
                )
            most_sigma = min(1.0, (1 - a_s) / a_t) if a_t else 1.0
            sigma = {
                "cap": min(eta, most_sigma),
                "rescale": eta * most_sigma,
                "loop": eta if looping else 0.0,
            }
            masks = task.masks(low, high)
            tokens, c = read(task.look(), masks)
            held = [i for i in range(low, high) if i not in masks]
            total = sum(math.exp(-drawn[i]) for i in held)
            coins = draw(task.block)[-(high - low) :]
            for i, coin in zip(range(low, high), coins.tolist(), strict=True):
                if i in masks:
                    mine = sigma.get(remask, 0.0)
                    if coin < (a_s - (1 - mine) * a_t) / (1 - a_t):
                        task.x[i], drawn[i] = tokens[i], c[i]
                else:
                    share = math.exp(-drawn[i]) / total
                    if coin < (most_sigma * share if remask == "conf" else sigma.get(remask, 0.0)):
                        task.x[i] = task.mask
            step += 1
        if noise_removal:
            tokens, _ = read(task.look(), task.masks(low, high))
            for i, token in tokens.items():
                task.x[i] = token
    return task.result()


def saber(
    task: Task,
    n: int,
    backtrack: bool = True,
    ever: bool = True,
    block_only: bool = False,
    overwrite: bool = False,
) -> tuple[list[int], int]:
    """Saber. ever: remasked tokens still count in the threshold (public code); block_only: each block stands
    alone; overwrite: where fewer than n masks are left, the first tokens change too (public code: any).
    """
    fixed: dict[int, float] = {}
    before = dict.fromkeys(range(len(task.x)), 0.0)
    for low, high in task.spans():
        step = 0
        first = low if block_only else task.start
        if block_only:
            fixed = {}
        while masks := task.masks(first, high):
            tokens, c = read(task.look(), range(first, high))
            theta = sum(fixed.values()) / len(fixed) if fixed else 1.0
            chosen = [i for i in masks if c[i] > theta]
            if len(chosen) < n:
                chosen = best_first(masks, c)[:n]
                if overwrite and len(chosen) < n:
                    chosen += [i for i in range(first, high) if i not in masks][: n - len(chosen)]
            if task.last(step, low, high):
                chosen = masks
            for i in chosen:
                task.x[i], fixed[i] = tokens[i], c[i]
            done = max(n, len(chosen))
            rises = {i: c[i] - before.get(i, -math.inf) for i in range(first, high)}
            # Positions that were beyond the block's end before have no change yet.
            before = {i: c[i] for i in range(first, high)}
            if not task.masks(first, high):
                break
            held = [i for i in range(first, high) if task.x[i] != task.mask and rises[i] < math.inf]
            count = min(max(n // 2, -(-done // 8)), done - 1)
            for i in sorted(held, key=lambda i: (rises[i], i))[: count if backtrack else 0]:
                task.x[i] = task.mask
                if not ever:
                    del fixed[i]
            step += 1
        if block_only:
            before = dict.fromkeys(range(len(task.x)), 0.0)
    return task.result()


def dilated(task: Task, base: int = 2) -> tuple[list[int], int]:
    """DUS: rounds of strides, coarse first; rounds of which nothing is open cost nothing."""
    for low, high in task.spans():
        stride, first = task.block, high - task.block
        while task.masks(low, high):
            stride = -(-stride // base)
            turn = [i for i in task.masks(low, high) if (i - first) % stride == 0]
            if turn:
                tokens, _ = read(task.look(), turn)
                for i in turn:
                    task.x[i] = tokens[i]
    return task.result()
