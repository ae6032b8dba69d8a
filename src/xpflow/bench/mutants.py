"""Seeded mutants of trusted Python solutions: one operator, constant, name or statement is changed.

For comparing graders on programs that are nearly right. Only canonical solutions of benchmarks come here; the
mutants themselves are run by the graders, in their jails.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

from xpflow.problems.problem import Problem

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.FloorDiv,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}


def seeded_mutants(problems: list[Problem], count: int, seed: int) -> Iterator[tuple[Problem, str]]:
    """Yield `count` distinct (problem, mutant of its solution), problems drawn at random from a seed."""
    source = random.Random(seed)
    seen: set[tuple[str, str]] = set()
    while len(seen) < count:
        problem = source.choice(problems)
        mutant = mutate(problem.solution, source)
        if mutant is not None and (problem.task_id, mutant) not in seen:
            seen.add((problem.task_id, mutant))
            yield problem, mutant


def mutate(code: str, source: random.Random) -> str | None:
    """Return code with one random change (formatting and comments are lost), or None where there is none."""
    tree = ast.parse(code)
    places = [node for node in ast.walk(tree) if _changeable(node)]
    if not places:
        return None
    _change(source.choice(places), source)
    try:
        return ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    except (ValueError, RecursionError):
        return None


def _changeable(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in _COMPARE
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return type(node.op) in _BINARY
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) or (isinstance(node.value, str) and node.value != "")
    return isinstance(node, ast.BoolOp | ast.Return | ast.If | ast.FunctionDef | ast.While)


def _change(node: ast.AST, source: random.Random) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = _COMPARE[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        node.op = _BINARY[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    elif isinstance(node, ast.Constant):
        node.value = _other(node.value, source)
    elif isinstance(node, ast.Return):
        node.value = None
    elif isinstance(node, ast.If | ast.While):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.FunctionDef) and len(node.body) > 1:
        del node.body[source.randrange(len(node.body))]


def _other(value: object, source: random.Random) -> bool | int | float | str:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + source.choice((-1, 1))
    return str(value)[1:]
