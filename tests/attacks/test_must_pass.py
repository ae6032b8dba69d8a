"""Good answers that a careful grader could lose: each has to pass under every jail that works here."""

# ruff: noqa: E501 (programs and tests stand here as they are run)

from __future__ import annotations

from collections.abc import Iterator

import pytest

from xpflow.grading.grade import Grader
from xpflow.grading.jails import JAILS
from xpflow.grading.verdict import Limits
from xpflow.problems import Problem
from xpflow.problems.benchmark import load_benchmark

WORKING = [name for name in JAILS if JAILS[name].why_not() is None]
IMPORTS = (
    "array bisect cmath collections copy datetime decimal fractions functools hashlib heapq itertools math "
    "operator random re statistics string sys typing dataclasses enum textwrap unicodedata zlib queue"
)
# name: (program, tests); the setup of a test comes first in it
GOOD: dict[str, tuple[str, tuple[str, ...]]] = {
    "slow": ("def f(n):\n    return sum(i % 7 for i in range(n))", ("assert f(3_000_000) == 8999994",)),
    "deep recursion": ("def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)", ("assert f(900) == 900",)),
    "raised recursion limit": (
        "import sys\nsys.setrecursionlimit(20000)\ndef f(n):\n    return 0 if n == 0 else 1 + f(n - 1)",
        ("assert f(5000) == 5000",),
    ),
    "unicode": ("def f(s):\n    return s[::-1] + 'é\\x00😀'", ("assert f('aß') == 'ßaé\\x00😀'",)),
    "unicode names": ("def größe(x):\n    return x\nf = größe", ("assert f('ñ') == 'ñ'",)),
    "large output": (
        "def f(n):\n    print('x' * 10**6)\n    return n",
        ("assert f(1) == 1", "assert f(2) == 2"),
    ),
    "large answer": ("def f(n):\n    return list(range(n))", ("assert f(200_000) == list(range(200_000))",)),
    "large integer": ("def f(n):\n    return 7 ** n", ("assert f(20_000) == 7 ** 20_000",)),
    "nan": ("def f():\n    return float('nan')", ("x = f()\nassert x != x",)),
    "negative zero": ("def f():\n    return -0.0", ("import math\nassert math.copysign(1, f()) == -1",)),
    "infinity": (
        "def f():\n    return [float('inf'), -float('inf')]",
        ("assert f() == [float('inf'), -float('inf')]",),
    ),
    "in-place change": ("def f(x):\n    x.sort()", ("x = [3, 1, 2]\nf(x)\nassert x == [1, 2, 3]",)),
    "in-place change deep down": (
        "def f(grid):\n    grid[1][0] = 9\n    return grid",
        ("g = [[1], [2]]\nrow = g[1]\nassert f(g) == [[1], [9]]\nassert row == [9]",),
    ),
    "state between calls": (
        "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)",
        ("assert f(1) == 1\nassert f(1) == 2",),
    ),
    "helper functions and classes": (
        "class Node:\n    def __init__(self, v):\n        self.v = v\ndef g(n):\n    return n.v\ndef f(v):\n    return g(Node(v))",
        ("assert f(4) == 4",),
    ),
    "several functions": (
        "def f(x):\n    return x + 1\ndef g(x):\n    return 2 * x",
        ("assert f(g(2)) == 5",),
    ),
    "value of the program": ("LIMIT = 3\ndef f(x):\n    return x < LIMIT", ("assert f(LIMIT - 1)",)),
    "generator": ("def f(n):\n    yield from range(n)", ("assert list(f(3)) == [0, 1, 2]",)),
    "endless generator": (
        "def f():\n    n = 0\n    while True:\n        yield n\n        n += 1",
        ("from itertools import islice\nassert list(islice(f(), 3)) == [0, 1, 2]",),
    ),
    "named tuple": (
        "from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f():\n    return P(1, 2)",
        ("assert f() == (1, 2)",),
    ),
    "enum": (
        "from enum import IntEnum\nclass C(IntEnum):\n    A = 2\ndef f():\n    return C.A",
        ("assert f() == 2",),
    ),
    "standard-library values": (
        "from collections import *\nfrom decimal import Decimal\nfrom fractions import Fraction\nimport datetime\n"
        "def f():\n    return [Counter('aab'), OrderedDict(a=1), deque([1]), Decimal('0.1'), Fraction(1, 3), "
        "datetime.date(2026, 1, 2), {1, 2}, frozenset([3]), range(4), 1j, b'x', None, defaultdict(int, a=1)]",
        (
            "a = f()\nassert a[0]['a'] == 2 and a[0]['z'] == 0\nassert a[1] == {'a': 1} and list(a[2]) == [1]",
            "assert a[5].year == 2026 and a[6] == {2, 1} and 3 in a[7] and a[8] == range(4)\n"
            "assert a[9] == 1j and a[10] == b'x' and a[11] is None and a[12]['b'] == 0",
        ),
    ),
    "match": (
        "import re\ndef f(s):\n    return re.search('b+', s)",
        ("assert f('abbc')\nassert f('abbc').group() == 'bb'\nassert not f('x')",),
    ),
    "expected exception": (
        "def f(x):\n    raise ValueError('no')",
        ("try:\n    f(1)\n    assert False\nexcept ValueError as error:\n    assert str(error) == 'no'",),
    ),
    "keyword arguments": (
        "def f(a, *, b=2):\n    return a * b",
        ("assert f(2) == 4\nassert f(a=3, b=5) == 15",),
    ),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\ndef f(x):\n    with ThreadPoolExecutor(2) as pool:\n"
        "        return list(pool.map(str, x))",
        ("assert f([1, 2]) == ['1', '2']",),
    ),
    "temporary file": (
        "import tempfile\ndef f(s):\n    with tempfile.TemporaryFile('w+') as t:\n        t.write(s)\n        t.seek(0)\n"
        "        return t.read()",
        ("assert f('abc') == 'abc'",),
    ),
    "lambda as the function": ("f = lambda x: x * 2", ("assert f(2) == 4",)),
    "cached function": (
        "from functools import lru_cache\n@lru_cache(None)\ndef f(n):\n    return n if n < 2 else f(n-1) + f(n-2)",
        ("assert f(80) == 23416728348467685",),
    ),
    "imports": (f"import {', '.join(IMPORTS.split())}\ndef f():\n    return 1", ("assert f() == 1",)),
    "main guard": ("def f():\n    return 1\nif __name__ == '__main__':\n    1 / 0", ("assert f() == 1",)),
}


@pytest.fixture(scope="module", params=WORKING)
def grader(request: pytest.FixtureRequest) -> Iterator[Grader]:
    with Grader(request.param, workers=2, limits=Limits(cpu_s=5.0)) as opened:
        yield opened


def test_unusual_but_good_programs_pass(grader: Grader) -> None:
    items = [(Problem(n, "", "f", tests, p, "t", "t", "mbpp"), p) for n, (p, tests) in GOOD.items()]
    assert [v for v in grader.grade(items) if not v.passed] == []
    assert {v.mode for v in grader.grade(items)} == {"strict"}


@pytest.mark.parametrize("name", ["micropy-he", "micropy-mbpp"])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_all_held_out_micropy_solutions_pass(grader: Grader, name: str, split: str) -> None:
    problems = load_benchmark(name, split)
    found = grader.grade([(problem, problem.solution) for problem in problems])
    assert [v for v in found if not v.passed] == []
    assert len(found) >= 200
