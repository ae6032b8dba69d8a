"""The tests of a problem as code for the oracle: which names they take from the program, and asserts that
remember both sides of the comparison that failed. Standard library only.

Tests are the benchmark's own text and trusted; a program's text never comes here.
"""

from __future__ import annotations

import ast
import builtins
import operator
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

_COMPARE, _TRUTH = "_xpflow_compare", "_xpflow_truth"
_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


@dataclass(slots=True)
class Assert:
    """One assert of the tests: its text, its comparison, and whether the answer stands on the right."""

    text: str
    compare: Callable[[Any, Any], Any] | None = None
    answer_right: bool = False
    found: Any = None
    expected: Any = True


@dataclass(slots=True)
class Watcher:
    """Evaluates the asserts of one program's tests and remembers the one that failed."""

    asserts: list[Assert]
    failing: Assert | None = None

    def hooks(self) -> dict[str, Any]:
        """Return what the instrumented tests call."""
        return {_COMPARE: self.compare, _TRUTH: self.truth}

    def compare(self, place: int, left: Any, right: Any) -> bool:
        """Return whether a comparison holds, as a bool made here."""
        about = self.asserts[place]
        self.failing = about
        about.found, about.expected = (right, left) if about.answer_right else (left, right)
        assert about.compare is not None
        return self._passed(bool(about.compare(left, right)))

    def truth(self, place: int, value: Any) -> bool:
        """Return whether a value counts as true."""
        self.failing = about = self.asserts[place]
        about.found, about.expected = value, True
        return self._passed(bool(value))

    def _passed(self, held: bool) -> bool:
        if held:
            self.failing = None
        return held


@dataclass(slots=True)
class Tests:
    """Compiled tests.

    First the prompt's `helpers`; then, with the program's names bound, `setup`, `codes` in turn and
    `check(entry point)`.
    """

    names: list[str]
    imports: dict[str, str]
    helpers: CodeType | None
    setup: CodeType
    codes: list[CodeType]
    check: str
    sources: list[str]
    asserts: list[Assert] = field(default_factory=list)

    def line_of(self, error: BaseException) -> str:
        """Return the line of the tests in which an exception came up, or "" when it is none of theirs."""
        found, trace = "", error.__traceback__
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            if name.startswith("<test "):
                found = self.sources[int(name[6:-1]) - 1].splitlines()[trace.tb_lineno - 1].strip()
            trace = trace.tb_next
        return found


def compile_tests(problem: dict[str, Any]) -> Tests:
    """Compile the tests of a request's problem: {prompt, setup, tests, check, imports, defines}.

    In the HumanEval shape (`check` set) the prompt's own imports and helper functions (`poly` of
    HumanEval/32) are defined here, from the trusted prompt. In the MBPP shape every free name of tests and
    setup that is no builtin comes from the program (see `free_names`); a module only if the canonical
    solution imports it too (`imports`).
    """
    trees = [ast.parse(test) for test in problem["tests"]]
    setup = ast.parse(problem["setup"])
    asserts: list[Assert] = []
    helpers = _helpers(problem["prompt"]) if problem["check"] else None
    names = [problem["check"]] if problem["check"] else free_names([setup, *trees], problem["defines"])
    for source, tree in zip(problem["tests"], trees, strict=True):
        _Instrument(source, asserts).visit(tree)
    codes = [_compiled(tree, f"<test {number}>") for number, tree in enumerate(trees, start=1)]
    before = _compiled(setup, "<setup>")
    return Tests(
        names, dict(problem["imports"]), helpers, before, codes, problem["check"], problem["tests"], asserts
    )


def free_names(trees: list[ast.Module], shadowing: Iterable[str] = ()) -> list[str]:
    """Return the names that code uses and neither defines nor finds among the builtins, sorted.

    A builtin's name is free only if it is in `shadowing`: what the trusted solution defines itself (MBPP/126
    is about a function `sum`). A program cannot put its own `abs` into a test.
    """
    used: set[str] = set()
    defined: set[str] = set(dir(builtins)) - set(shadowing)
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
            elif isinstance(node, ast.arg):
                defined.add(node.arg)
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                defined.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                defined.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    return sorted(used - defined)


def imported_modules(code: str) -> dict[str, str]:
    """Return the standard-library modules that a trusted solution imports, by the name it gives them."""
    found = {}
    for node in ast.walk(parsed(code)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in sys.stdlib_module_names:
                    found[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
    return found


def defined_functions(code: str) -> list[str]:
    """Return the functions that trusted code defines at its top level."""
    return [node.name for node in parsed(code).body if isinstance(node, ast.FunctionDef)]


def uses_program_classes(code: str, tests: str) -> bool:
    """Return whether tests (with setup) name a class that the canonical solution defines."""
    classes = {node.name for node in ast.walk(parsed(code)) if isinstance(node, ast.ClassDef)}
    return bool(classes and classes & set(free_names([parsed(tests)])))


def wants_one_answer(test: str, name: str, is_check: bool) -> bool:
    """Return whether a test asserts, where nothing can pass it by, that a call of `name` equals something.

    Two programs that give every call one answer, each another one, cannot both pass it. Of a `check` its
    parameter is called.
    """
    body = parsed(test).body
    if is_check:
        checks = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "check"]
        if len(checks) != 1 or not checks[0].args.args:
            return False
        body, name = checks[0].body, checks[0].args.args[0].arg
    for node in body:
        if any(isinstance(part, ast.Return) for part in ast.walk(node)):
            return False
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
            sides = (node.test.left, node.test.comparators[0])
            called = [isinstance(side, ast.Call) and ast.unparse(side.func) == name for side in sides]
            if isinstance(node.test.ops[0], ast.Eq) and called[0] != called[1]:
                return True
    return False


def parsed(code: str) -> ast.Module:
    """Parse trusted code; what is no Python counts as empty, and old escapes are passed over in silence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # also NUL, a surrogate, deep nesting
        return ast.Module(body=[], type_ignores=[])


def _helpers(prompt: str) -> CodeType | None:
    """Compile a prompt by itself: it ends with a docstring, or needs a body."""
    for ending in ("", "\n    pass\n", "pass\n"):
        try:
            return compile(prompt + ending, "<prompt>", "exec", dont_inherit=True)
        except SyntaxError:
            continue
    return None


def _compiled(tree: ast.Module, name: str) -> CodeType:
    return compile(ast.fix_missing_locations(tree), name, "exec", dont_inherit=True)


class _Instrument(ast.NodeTransformer):
    """Rewrites `assert a == b` as `assert _xpflow_compare(place, a, b)`, and any other as a truth test."""

    def __init__(self, source: str, asserts: list[Assert]) -> None:
        self.source, self.asserts = source, asserts

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        text = (ast.get_source_segment(self.source, node) or "assert").strip()
        place: ast.expr = ast.Constant(len(self.asserts))
        about, test = Assert(" ".join(text.split())), node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            left, right = test.left, test.comparators[0]
            about.compare = _OPERATORS[type(test.ops[0])]
            about.answer_right = _calls(right) and not _calls(left)
            call = ast.Call(ast.Name(_COMPARE, ast.Load()), [place, left, right], [])
        else:
            call = ast.Call(ast.Name(_TRUTH, ast.Load()), [place, test], [])
        self.asserts.append(about)
        return ast.copy_location(ast.Assert(ast.copy_location(call, node), node.msg), node)


def _calls(node: ast.AST) -> bool:
    """Return whether an expression calls anything by a name that is no builtin."""
    return any(
        isinstance(part, ast.Call)
        and not (isinstance(part.func, ast.Name) and hasattr(builtins, part.func.id))
        for part in ast.walk(node)
    )
