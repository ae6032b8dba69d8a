"""The text of the user turn by which a chat model is asked to solve a problem."""

from __future__ import annotations

from xpflow.problems.problem import Problem


def instruction(problem: Problem) -> str:
    """Return the user turn of a problem.

    HumanEval and MBPP: the wording of OpenCompass's LLaDA configurations (humaneval_gen, mbpp_gen_830460;
    the latter here without its three worked examples). MicroPy: the bare task, as its models were trained
    on it.
    """
    if problem.source.startswith("micropy"):
        return _micropy(problem)
    if problem.shape == "humaneval":
        return f"Complete the following python code:\n{problem.prompt}"
    if not problem.shown_tests or not problem.tests:
        return problem.prompt
    tests = "\n".join(problem.tests[: problem.shown_tests])
    return (
        f"You are an expert Python programmer, and here is your task: {problem.prompt} "
        f"Your code should pass these tests:\n\n {tests}  \n"
    )


def _micropy(problem: Problem) -> str:
    if problem.shape == "humaneval":
        return problem.prompt.strip()
    return "\n".join((problem.prompt, *problem.tests[: problem.shown_tests]))
