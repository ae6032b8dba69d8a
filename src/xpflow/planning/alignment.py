"""One alignment: the work of an update and the memory of a process, for all parameters or for adapters.

Full: FSDP2 shards the fp32 master weights, their gradients and Adam's two moments over the processes; a
layer at a time is gathered in bf16, the embedding table and the head stay gathered. Adapters: every process
holds the frozen model in the runtime's dtype, and trains fp32 adapters. The objective says what an update
takes beside one forward and its backward. A reference is a copy in the runtime's dtype, sharded like the
other; adapters are switched off instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xpflow.planning.sizes import ModelSizes
from xpflow.planning.work import Forward, Memory, Work, layer_bytes, training_sequence
from xpflow.study.config.machine import RuntimeBlock
from xpflow.study.config.training import FullSettings, LoraSettings

if TYPE_CHECKING:
    from xpflow.training.objective import Cost

WATCHED = 4  # fixed maskings of each example in a row of log.jsonl
LOGIT_BYTES = 20  # of one logit in a loss: itself, fp32, softmax, and their gradients
TABLE_BYTES = 16  # of a number of a converter's table: fp32, its gradient, Adam's two moments
SHARE_BYTES = 16  # of one share that a mean over the vocabulary is under: logit, softmax, and their gradients


@dataclass(frozen=True, slots=True)
class Alignment:
    """One alignment: `prompt` mean and `longest`, N `length`, `watched` examples per log row."""

    arch: ModelSizes
    settings: FullSettings | LoraSettings
    cost: Cost
    runtime: RuntimeBlock
    length: int
    prompt: int
    longest: int
    watched: int
    log_every: int

    @property
    def full(self) -> bool:
        """Return whether all parameters are trained."""
        return isinstance(self.settings, FullSettings)

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of a weight in the forward pass."""
        return 4 if self.runtime.dtype == "float32" else 2

    def on(self, processes: int) -> Alignment:
        """Return the same alignment on another number of processes."""
        return replace(self, runtime=self.runtime.model_copy(update={"processes": processes}))

    @property
    def share(self) -> int:
        """Return the sequences of one process in an update."""
        return -(-self.settings.batch_size // self.runtime.processes)

    @property
    def micro(self) -> int:
        """Return the sequences of one forward."""
        return min(self.runtime.micro_batch or self.share, self.share)

    def sequence(self, prompt: int) -> tuple[int, int]:
        """Return a training sequence's tokens and the places read; a block-causal one has a noisy copy."""
        return training_sequence(self.arch, prompt, self.length)

    def works(self) -> list[Work]:
        """Return the work of one process: all updates, and the forwards that the log takes."""
        size, reads = self.sequence(self.prompt)
        steps = self.settings.updates * -(-self.share // self.micro)
        forward = Forward(self.micro, size, size, reads, self.weight_bytes)
        # A backward costs two forwards, one where the weights are frozen; checkpointing runs one more.
        passes = 1 + (2 if self.full else 1) + self.runtime.activation_checkpointing
        passes = passes * self.cost.trained + self.cost.free
        logs = 2 + (self.settings.updates - 1) // self.log_every
        watching = WATCHED * logs * -(-self.watched // (self.micro * self.runtime.processes))
        work = forward.work(self.arch, steps * passes)
        return [work, forward.work(self.arch, watching)]

    def memory(self) -> Memory:
        """Return the peak of one process."""
        arch, b = self.arch, self.weight_bytes
        size, reads = self.sequence(self.longest)
        layer = layer_bytes(arch, b, training=True)
        kept = arch.layers * (b * arch.width if self.runtime.activation_checkpointing else layer)
        held = kept + (layer if self.runtime.activation_checkpointing else 0.0)
        places = min(self.runtime.vocab_chunk or self.micro * reads, self.micro * reads)
        parts = {**self._states(), **self._base()}
        parts["activations"] = (
            self.micro * size * (held + kept * (self.cost.trained - 1))
        )  # all until backward
        parts["logits"] = places * arch.vocab * (LOGIT_BYTES + self.cost.logit_bytes)
        parts["fp32 embedding table"] = 4.0 * arch.table
        if tables := self.cost.tables:  # a converter's: whole on every process, in fp32, in no chunks
            shares = self.micro * reads * (arch.vocab + 1)
            parts["converter"] = tables * (float(TABLE_BYTES) * arch.table + SHARE_BYTES * shares)
        return Memory(parts)

    def _base(self) -> dict[str, float]:
        """Return the reference of an objective that needs one, and what of it is gathered at a time."""
        if not (self.full and self.cost.reference):
            return {}
        arch, b, processes = self.arch, self.weight_bytes, self.runtime.processes
        held = {"base model": float(arch.parameters * b) / processes}
        if processes > 1:
            held["gathered base weights"] = float(b * (2 * arch.table + 2 * arch.layer))
        return held

    def _states(self) -> dict[str, float]:
        """Return weights, gradients and moments; AdamW's step needs one more fp32 copy for a moment."""
        arch, b, processes = self.arch, self.weight_bytes, self.runtime.processes
        if not self.full:
            assert isinstance(self.settings, LoraSettings)
            adapters = arch.lora_parameters(self.settings.rank)
            return {"weights": float(arch.parameters * b), "adapters with Adam": 16.0 * adapters}
        share = arch.parameters / processes
        states = {"weights (fp32)": 4 * share, "gradients (fp32)": 4 * share, "Adam (fp32)": 8 * share}
        if processes > 1:
            states["gathered weights"] = float(b * (2 * arch.table + 2 * arch.layer))
            states["gathered gradients"] = 4.0 * (2 * arch.table + arch.layer)
        elif b == 2:
            states["weights (bf16)"] = 2.0 * arch.parameters
        return states
