"""MicroPy-L: right programs of many structures, splits by combination and function, strong tests, entropy."""

from __future__ import annotations

import ast
import math
from collections import Counter
from itertools import islice
from random import Random
from typing import get_args

import pytest

from xpflow.grading.grade import Grader
from xpflow.models.load import load_tokenizer
from xpflow.models.registry import model_folder
from xpflow.problems.micropy.code import signature
from xpflow.problems.micropy.dataset import WORLD as MICROPY
from xpflow.problems.micropy.entropy import bits, outcomes
from xpflow.problems.micropy.mutants import Raised, behaviour, mutants
from xpflow.problems.micropy.render import humaneval_problem, select_tests
from xpflow.problems.micropy.splits import Split
from xpflow.problems.micropy.world import SIZES, Shape
from xpflow.problems.micropy_l import WORLD, dataset
from xpflow.problems.micropy_l.code import STYLES, body, styles_of
from xpflow.problems.micropy_l.dataset import draw_rendering, draw_split_task
from xpflow.problems.micropy_l.grammar import SOURCES, Kind, Part, Step, Task
from xpflow.problems.micropy_l.inputs import candidate_inputs
from xpflow.problems.micropy_l.names import ROLES, draw_names, fill, name_bits, numbered
from xpflow.problems.micropy_l.semantics import answer, answers, function_of, is_sensible, split_of

SPLITS: tuple[Split, ...] = get_args(Split)
TICKS = 300


def drawn(count: int, split: Split, seed: str) -> list[Task]:
    rng = Random(seed)
    return [draw_split_task(rng, split) for _ in range(count)]


def shape_of(code: str) -> tuple[str, ...]:
    """Return the kinds of statements and expressions of a program, without names and constants."""
    kept = (ast.stmt, ast.comprehension, ast.IfExp, ast.Lambda, ast.ListComp, ast.GeneratorExp)
    return tuple(type(node).__name__ for node in ast.walk(ast.parse(code)) if isinstance(node, kept))


def test_a_task_answers_what_its_words_say() -> None:
    steps = (Step("filter", (Part("gt", "@"),)), Step("choose", (Part("even"), Part("mul", "3"), Part("id"))))
    assert answer(Task("list", steps, "sum", Part("cap", "20")), ([4, 1, 5, 8, 2], 3)) == 20
    assert answer(Task("list", steps, "list"), ([4, 1, 5, 8, 2], 3)) == [12, 5, 24]
    running = (Step("running"), Step("until", (Part("gt", "8"),)))
    assert answer(Task("upto", running, "list", Part("backwards")), (6,)) == [6, 3, 1]
    assert (
        answer(Task("between", (Step("alternate"), Step("map", (Part("square"),))), "spread"), (1, 5)) == 24
    )
    assert answer(Task("digits", (Step("dedupe"),), "count"), (31331,)) == 2
    assert answer(Task("text", (Step("map", (Part("upper"),)),), "last"), ("",)) == ""


def test_every_program_of_a_task_computes_its_definition() -> None:
    rng, seen = Random("programs"), Counter[str]()
    for task in drawn(80, "train", "programs"):
        inputs = candidate_inputs(task, rng, 16)
        right = answers(task, inputs)
        for style in styles_of(task, names := draw_names(rng, task)):
            for _ in range(2):
                code = f"{signature(names)}\n{body(task, names, style, rng)}\n"
                assert list(map(repr, behaviour(code, inputs))) == right, code
                seen.update((style, task.source, *(step.kind for step in task.steps)))
    assert {*STYLES, *SOURCES, *get_args(Kind)} == set(seen)


def test_every_task_has_three_programs_of_different_structure_and_more_names_than_one() -> None:
    rng = Random("structures")
    for task in drawn(40, "test", "structures"):
        names = draw_names(rng, task)
        found = {
            f"{signature(names)}\n{body(task, names, s, rng)}"
            for s in styles_of(task, names)
            for _ in range(3)
        }
        assert len({shape_of(code) for code in found}) >= 3, task
    assert sum(map(len, ROLES.values())) == len(set().union(*ROLES.values()))


def test_programs_of_every_structure_pass_the_tests_in_a_jail() -> None:
    rng, items = Random("jail"), []
    for number, task in enumerate(drawn(8, "test", "jail")):
        rendering = draw_rendering(task, rng)
        problem = humaneval_problem(f"T/{number}", rendering, "test", rng)
        for style in styles_of(task, rendering.names):
            text = body(task, rendering.names, style, rng)
            items.append((problem, f"{signature(rendering.names)}\n{text}\n"))
    with Grader(workers=1) as grader:
        assert [v for v in grader.grade(items) if not v.passed] == []


def test_canonical_solutions_of_every_set_pass_in_a_jail() -> None:
    problems = [p for shape, split in sorted(SIZES) for p in islice(WORLD.stream(shape, split), 6)]
    assert {(p.source, p.shape, p.split) for p in problems} == {("micropy-l", *key) for key in SIZES}
    assert len({p.task_id for p in problems}) == len(problems)
    with Grader(workers=1) as grader:
        assert [v for v in grader.grade([(p, p.solution) for p in problems]) if not v.passed] == []


@pytest.mark.parametrize("split", SPLITS)
def test_sets_and_streams_have_tasks_of_their_split_alone(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[Task] = []

    def record(task: Task, rng: Random) -> object:
        tasks.append(task)
        return draw_rendering(task, rng)

    monkeypatch.setattr(dataset, "draw_rendering", record)
    shapes: tuple[Shape, ...] = get_args(Shape)
    for shape in shapes:
        list(islice(WORLD.stream(shape, split), 8))
    list(islice(WORLD.training_pairs(3, split), 40))
    if split == "train":
        WORLD.persona_problems(20)
    assert len(tasks) >= 56
    assert {split_of(task) for task in tasks} == {split}
    assert all(is_sensible(task) for task in tasks)


def test_no_held_out_function_is_a_training_function_on_inputs_that_did_not_decide() -> None:
    known: dict[tuple[object, ...], str] = {}
    for split in SPLITS:
        for task in drawn(200 if split == "train" else 60, split, "semantics"):
            inputs = candidate_inputs(task, Random(f"{task.source}/independent"), 32)
            if task.source == "list":
                inputs = [(a[0], 3) if task.has_helper else (a[0],) for a in inputs]
            key = (task.source, task.has_helper, *answers(task, inputs))
            assert known.setdefault(key, split) == split, task
    assert len(known) > 280


def test_one_function_in_other_words_has_one_digest() -> None:
    end = "distinct"
    shifted, negated = (Task("list", (Step("map", (Part(*p),)),), end) for p in (("add", "3"), ("neg",)))
    squared = Task("list", (Step("map", (Part("square"),)),), end)
    assert function_of(shifted) == function_of(negated) != function_of(squared)
    assert not is_sensible(shifted)  # the map does not matter


def test_tests_catch_single_token_mutants_of_the_drawn_solution() -> None:
    rng, caught, changed = Random("mutants"), 0, 0
    for number, task in enumerate(drawn(16, "test", "mutants")):
        rendering = draw_rendering(task, rng)
        tests = select_tests(rendering, rng)
        inputs, right = [a for a, _ in tests], [repr(value) for _, value in tests]
        pool = candidate_inputs(task, Random(f"pool/{number}"), 60)
        answered = answers(task, pool)
        for mutant in mutants(rendering.code):
            if list(map(repr, behaviour(mutant, pool, TICKS))) != answered:
                changed += 1
                caught += list(map(repr, behaviour(mutant, inputs, TICKS))) != right
    print(f"micropy-l: {caught} of {changed} mutants that change behaviour fail the tests")
    assert changed > 700
    assert caught / changed >= 0.99


def test_a_mutant_that_would_never_end_is_stopped() -> None:
    endless = "def f(n):\n    while n > 0:\n        n += 1\n    return n\n"
    assert behaviour(endless, [(0,), (1,)], TICKS)[0] == 0
    assert isinstance(behaviour(endless, [(1,)], TICKS)[0], Raised)
    squares = "def f(n):\n    while n > 0:\n        n = n * n\n    return n\n"
    assert isinstance(behaviour(squares, [(2,)], TICKS)[0], Raised)


def test_outcomes_are_every_draw_with_its_probability() -> None:
    def draw(rng: Random) -> str:
        first = rng.choice("ab")
        return first + rng.choice("xyzx") if first == "a" else first

    assert outcomes(draw) == {"ax": 0.25, "ay": 0.125, "az": 0.125, "b": 0.5}
    assert bits([0.5, 0.25, 0.125, 0.125]) == pytest.approx(1.75)


def test_the_entropy_of_names_is_that_of_what_fill_can_give() -> None:
    template = "    $acc1 = 0\n    for $x1 in nums:\n        $acc1 += $x1\n    $part1 = $part2 = $acc1"
    found = outcomes(lambda rng: fill(template, ("nums", "x"), rng))
    assert bits(list(found.values())) == pytest.approx(name_bits(template, ("nums", "x")))
    assert name_bits(template, ("nums", "x")) == pytest.approx(math.log2(6 * 7 * 6 * 5))
    assert numbered("$y7 = $y3 + $x\n$y7") == "$y1 = $y2 + $x1\n$y1"


def test_answers_are_far_less_determined_by_the_prompt_than_those_of_micropy() -> None:
    means = []
    for world in (MICROPY, WORLD):
        rng = Random("entropy")
        found = [world.entropy_bits(world.draw(rng, "validation")) for _ in range(12)]
        means.append(sum(found) / len(found))
    print(f"entropy of an answer: MicroPy {means[0]:.1f} bits, MicroPy-L {means[1]:.1f} bits")
    assert means[1] > means[0] + 5


def test_answers_fit_in_128_tokens_of_the_tokenizer_of_micropy() -> None:
    tokenizer = load_tokenizer(model_folder("llada-micro"))
    pairs = list(islice(WORLD.training_pairs(11), 200))
    lengths = [len(tokenizer(answer, add_special_tokens=False)["input_ids"]) + 1 for _, answer in pairs]
    assert sum(length <= 128 for length in lengths) / len(lengths) >= 0.97
    assert sorted(lengths)[len(lengths) // 2] >= 64


def test_streams_are_deterministic_and_differ_between_seeds() -> None:
    first, again, other = (list(islice(WORLD.training_pairs(seed), 20)) for seed in (7, 7, 8))
    assert first == again
    assert not set(first) & set(other)
