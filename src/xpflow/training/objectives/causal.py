"""The autoregressive model of the same size: every place is predicted from those before it, in one forward.

The architecture stays what it is, but it reads the sequence one place late, with the begin-of-text token in
front, and attends to what stands before only. So the read position of a token has the token before it as
input, and one forward has as many targets as there are tokens; under the schedule `ordered` it has one. The
loss is the exact -log p(x) in nats a token, no bound. The weights are no masked model: no decoder reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xpflow.errors import ConfigError
from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, block_length, laid_out
from xpflow.training.examples import Batch
from xpflow.training.objective import Loss, Objective, Term
from xpflow.training.student import Prediction, Student


class CausalSettings(Block):
    """Nothing to choose: the order is that of the text."""


class CausalLoss(Loss):
    """The mean over rows of a row's mean cross-entropy (nats) of the next token."""

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return whole sequences as a causal model reads them; nothing is masked, all of a response counts.

        Raises:
            ConfigError: the model is block-causal, or its configuration has no begin-of-text token.
        """
        if block_length(model):
            raise ConfigError("a block-causal model has an order of its own", hint="train a dense model")
        clean = laid_out(batch, model)
        late = causal_inputs(clean.inputs["input_ids"], model.config.bos_token_id)
        return replace(clean, inputs={**clean.inputs, **late}, mask_BK=clean.response_BK)

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        """Predict every response position."""
        return student.predict(batch)

    def terms(self, outputs: Prediction, batch: Corrupted) -> Mapping[str, Term]:
        """Return the cross-entropy, over the response."""
        return {"ce": Term(outputs.terms(batch.target_BK, ["ce"])["ce"], batch.response_BK)}


def causal_inputs(ids_BS: Tensor, begin: int | None) -> dict[str, Tensor]:
    """Return the arguments that make a dense model predict each id [B, S] from those before it.

    Raises:
        ConfigError: there is no token to begin with.
    """
    if begin is None:
        raise ConfigError(
            "a causal model's first input is the begin-of-text token, and this model has none",
            hint="give its configuration a bos_token_id",
        )
    rows, size = ids_BS.shape
    late_BS = torch.cat((torch.full_like(ids_BS[:, :1], begin), ids_BS[:, :-1]), dim=1)
    seen_SS = torch.ones(size, size, dtype=torch.bool, device=ids_BS.device).tril()
    return {"input_ids": late_BS, "attention_mask": seen_SS.expand(rows, 1, size, size)}


OBJECTIVE = Objective(
    settings=CausalSettings,
    make=lambda settings: CausalLoss(),
    about="the autoregressive model: next-token cross-entropy under causal attention, all tokens a forward",
)
