"""What a micro model can be pre-trained on: a generated world of tasks with their answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xpflow.problems.micropy.splits import Split


class TrainingWorld(ABC):
    """A world: pairs of a question and its answer without end, and what a model card says of them.

    Attributes:
        name: what studies call it.
        version: seeds of everything that is drawn; one version draws the same for ever.
        about: what its tasks are, in a few words.
        data: what a training stream holds, and what it does not, in full sentences.
    """

    name: str
    version: str
    about: str
    data: str

    @abstractmethod
    def training_pairs(self, seed: int, split: Split = "train") -> Iterator[tuple[str, str]]:
        """Yield (user text, answer) pairs of one split without end."""
