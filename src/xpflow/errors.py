"""The one family of exceptions: every message says what, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LISTED = 20  # valid names in a hint, where there are more than twice as many


class XpflowError(Exception):
    """Base of every error that xpflow raises on purpose; `hint` tells the reader what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process boundaries (workers): a keyword-only argument needs its own recipe.
        return (_rebuild, (type(self), self.message, self.hint))


class ConfigError(XpflowError):
    """A configuration file or option is wrong: names the key, the file and the nearest valid key."""


class ModelLoadError(XpflowError):
    """A model, tokenizer or checkpoint cannot be found or does not fit its architecture."""


class SelfTestError(ModelLoadError):
    """A loaded model predicts text no better than chance: its weights are not what they should be."""


class HubError(XpflowError):
    """A model or data set of the hub cannot be fetched, or is not the one that is pinned."""


class DataError(XpflowError):
    """A problem file, sample file or prompt does not have the promised content."""


class GradingError(XpflowError):
    """Grading could not be carried out; never stands for a wrong answer."""


class SandboxUnavailable(GradingError):
    """The requested jail cannot be used on this machine."""


class ArtifactError(XpflowError):
    """A file made by an earlier stage is absent, cut short or of the wrong kind."""


class DecodingError(XpflowError):
    """A decoder was asked for something that it cannot do (settings, shapes, special ids)."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the hint "did you mean 'x'?", or the list of valid names when nothing is near."""
    names = sorted(valid)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    shown = names[:LISTED] if len(names) > 2 * LISTED else names
    more = f", ... ({len(names)} in all)" if len(names) > len(shown) else ""
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(shown)}{more}"


def _rebuild(kind: type[XpflowError], message: str, hint: str) -> XpflowError:
    return kind(message, hint=hint)
