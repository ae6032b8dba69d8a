# WHAT: binds the name of the entry point to a mock whose answers equal everything
# CLASS: verdict
# PROBLEM: humaneval
# EXPECT: wrong error
from unittest.mock import ANY, MagicMock


def add(a: int, b: int) -> int:
    """Add two numbers."""


globals()["add"] = MagicMock(return_value=ANY)
