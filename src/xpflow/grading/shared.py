"""Mode "shared": program and tests run together in the jail, for tests that build the program's own objects.

A program written to forge its verdict can do so here; the verdict says that the mode was used. Standard
library only.
"""

from __future__ import annotations

from typing import Any

REASON_LIMIT = 300


def run_shared(request: dict[str, Any], space: dict[str, Any]) -> dict[str, Any]:
    """Execute the program, the setup code and the tests, in this order, in one module."""
    try:
        execute(request["program"], "<program>", space)
        execute(request["setup"], "<setup>", space)
        for number, test in enumerate(request["tests"], start=1):
            execute(test, f"<test {number}>", space)
        if request["check"]:
            space["check"](space[request["check"]])
    except BaseException as error:
        return explain(error, request["tests"])
    return {"verdict": "passed", "reason": ""}


def execute(source: str, name: str, space: dict[str, Any]) -> None:
    """Compile and run source text in `space`."""
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except MemoryError as error:  # how the parser says "nested too deeply"
        raise SyntaxError("too complex for the parser") from error
    exec(code, space)


def explain(error: BaseException, tests: list[str]) -> dict[str, Any]:
    """Return the verdict for an exception, with the failing test's own line where there is one."""
    if isinstance(error, MemoryError):
        return {"verdict": "memory", "reason": "MemoryError"}
    trace, where, inner = error.__traceback__, "", ""
    while trace is not None:
        inner = trace.tb_frame.f_code.co_filename
        if inner.startswith("<test "):
            number = int(inner[6:-1])
            line = tests[number - 1].splitlines()[trace.tb_lineno - 1].strip()
            where = f" in test {number}: {line}"
        trace = trace.tb_next
    wrong = isinstance(error, AssertionError) and inner.startswith("<test ")
    try:
        text = "" if wrong else f": {error}"
    except BaseException:
        text = ""
    reason = f"{type(error).__name__}{where}{text}"[:REASON_LIMIT]
    return {"verdict": "wrong" if wrong else "error", "reason": reason}
