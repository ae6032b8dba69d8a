"""A trained causal model of a MicroText world: its likelihood is exact, and a sentence takes L forwards."""

from __future__ import annotations

import torch
from torch import Tensor

from xpflow.masking.bound import nll_of
from xpflow.masking.reverse import Sampled, draw_words
from xpflow.microtext.measure import Estimate
from xpflow.microtext.world import World
from xpflow.training.masked_model import evaluating
from xpflow.training.objectives.causal import causal_inputs
from xpflow.training.student import Student
from xpflow.training.text_measure import word_log_p
from xpflow.training.text_scores import BoundScores


class CausalModel:
    """A student of the objective `causal`; prompt: what stands in front (`text_run.text_prompt`)."""

    def __init__(self, student: Student, world: World, prompt: tuple[int, ...] = ()) -> None:
        self.student, self.world, self.prompt = student, world, prompt

    def log_p(self, ids_BL: Tensor) -> Tensor:
        """Return log p(x_i = v | the words before i), [B, L, V], float64."""
        device = self.student.machine.device
        front_BP = torch.tensor(self.prompt, dtype=torch.long).expand(len(ids_BL), -1)
        whole_BS = torch.cat((front_BP, ids_BL), dim=1).to(device)
        inputs = causal_inputs(whole_BS, self.student.model.config.bos_token_id)
        with torch.no_grad(), self.student.machine.autocast(self.student.model):
            hidden_BSD = self.student.model(**inputs, head=False).hidden
        return word_log_p(self.student, self.world, hidden_BSD[:, len(self.prompt) :])


def causal_bound(model: CausalModel, ids_NL: Tensor) -> BoundScores:
    """Measure -log p(x) against the oracle, in nats a sentence: no bound, so there is no velocity in it."""
    with evaluating(model.student):
        nll_N = nll_of(model.log_p(ids_NL), ids_NL).sum(-1)
    floor_N = -model.world.log_prob(ids_NL)
    excess = Estimate.of(nll_N - floor_N)
    return BoundScores(float(floor_N.mean()), excess, excess, Estimate(0.0))


def causal_sample(model: CausalModel, count: int, seed: int = 0) -> Sampled:
    """Draw sentences word by word, each with L forwards; nothing is kept between them."""
    generator, length = torch.Generator().manual_seed(seed), model.world.length
    ids_BL = torch.zeros(count, length, dtype=torch.long)
    with evaluating(model.student):
        for place in range(length):
            log_p_BLV = model.log_p(ids_BL[:, : place + 1])
            ids_BL[:, place] = draw_words(log_p_BLV[:, -1], generator)
    return Sampled(ids_BL, torch.full((count,), length))
