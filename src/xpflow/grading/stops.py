"""What ends the tests of a program before their end. Standard library only."""

from __future__ import annotations

from typing import Any


class Stop(BaseException):
    """What ends the tests for good; a test with a bare `except` may hold it up, and it is raised again."""


class Ended(Stop):
    """The program is over before its tests are; `how` is what the keeper said."""

    def __init__(self, how: dict[str, Any]) -> None:
        self.how = how


class Broken(Stop):
    """The program said something that the format does not allow."""


class JailLost(Stop):
    """The jail itself is gone: no verdict on the program."""


class Overtime(BaseException):
    """The tests, fed with the program's answers, take too long."""


class Untestable(Stop):
    """The benchmark's own tests ask for what the format cannot carry: no verdict on the program."""


class Unanswered(BaseException):
    """A call ended in something that no test may catch: SystemExit and its kind."""
