"""What a call changed in its arguments, carried over to the tests' own objects. Standard library only."""

from __future__ import annotations

import array
import collections
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from xpflow.grading.frames import WireError
    from xpflow.grading.stops import Broken
    from xpflow.grading.unpacking import unpack
else:
    from frames import WireError
    from stops import Broken
    from unpacking import unpack


def changes(sent: Any, count: int) -> list[tuple[int, Any]]:
    """Return (place, new content) of the arguments that a call changed; raises WireError on nonsense."""
    found = []
    for pair in sent if type(sent) is list else [None]:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not int or not 0 <= pair[0] < count:
            raise WireError("not a list of changes")
        found.append((pair[0], unpack(pair[1])))
    return found


def replace(old: Any, new: Any) -> None:
    """Give an argument the content that the program left in its copy; what cannot change stays."""
    if type(old) is not type(new):
        raise Broken("an argument of another type")
    if isinstance(old, dict):
        new = {key: renewed(old.get(key), now) for key, now in new.items()}
    elif isinstance(old, list) and len(old) == len(new):
        new = list(map(renewed, old, new))
    if isinstance(old, (list, bytearray, array.array)):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif isinstance(old, collections.deque):
        old.clear()
        old.extend(new)


def renewed(old: Any, new: Any) -> Any:
    """Return the object that stands for `new`: `old` itself with new content where that can be."""
    if isinstance(old, (list, dict, set)) and type(old) is type(new):
        replace(old, new)
        return old
    return new
