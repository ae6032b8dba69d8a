"""The trusted side by itself, with a jail that is a list of messages: what it asks, believes and says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpflow import grading
from xpflow.grading import oracle
from xpflow.grading.frames import CANDIDATE, KEEPER
from xpflow.grading.oracle import judge
from xpflow.grading.outcome import JailLost
from xpflow.grading.packing import pack
from xpflow.grading.unpacking import unpack

FAKE_WORKER = Path(__file__).parents[2] / "fakes" / "worker.py"
SOURCE = Path(grading.__file__).parents[2]
LIMITS = {"cpu_s": 2.0, "wall_s": 5.0, "output_mib": 1}
DONE = {"stopped": "done", "status": 0, "cpu_s": 0.5, "time_s": 0.75, "memory_mib": 10.0, "spent": False}
ADD = {
    "prompt": "",
    "setup": "",
    "imports": {},
    "defines": [],
    "check": "",
    "tests": ["assert add(1, 2) == 3"],
}


class FakeJail:
    """Answers calls with a function of (number, name, args), and the program itself with `first`."""

    def __init__(
        self,
        answer: Callable[..., Any],
        kinds: Any = None,
        how: dict[str, Any] | None = None,
        first: list[Any] | None = None,
    ) -> None:
        self.answer, self.how = answer, {**DONE, **(how or {})}
        self.first = first or ["ready", {"add": "function"} if kinds is None else kinds]
        self.told: list[Any] = []
        self.waiting: list[tuple[int, Any]] = []
        self.ends = 0

    def say(self, channel: int, message: Any) -> None:
        if channel == KEEPER:
            self.told.append(message)
            self.waiting.append((CANDIDATE, self.first))
        else:
            number, name, packed = message
            args = None if packed is None else unpack(packed[0])
            self.waiting += self.answer(number, name, args)

    def read(self) -> tuple[int, Any]:
        return self.waiting.pop(0)

    def ended(self) -> dict[str, Any]:
        self.ends += 1
        return self.how


@pytest.fixture(autouse=True)
def stages(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the oracle tells the pool while it judges."""
    told: list[Any] = []
    monkeypatch.setattr(oracle, "tell", told.append)
    return told


def value(found: Any, changed: Any = ()) -> Callable[..., Any]:
    return lambda number, name, args: [(CANDIDATE, ["value", number, pack(found), list(changed)])]


def say(*parts: Any) -> Callable[..., Any]:
    return lambda number, name, args: [(CANDIDATE, [part if part != "N" else number for part in parts])]


def run(jail: FakeJail, problem: dict[str, Any] | None = None, mode: str = "strict") -> dict[str, Any]:
    asked = {**ADD, **(problem or {})}
    request = {"program": "", "mode": mode, "key": repr(asked), "problem": asked, "limits": LIMITS}
    return judge(jail, request)  # type: ignore[arg-type]


def test_right_answers_pass_and_carry_what_the_keeper_measured(stages: list[Any]) -> None:
    found = run(jail := FakeJail(lambda number, name, args: value(sum(args))(number, name, args)))
    measured = {"time_s": 0.75, "cpu_s": 0.5, "memory_mib": 10.0}
    assert found == {"verdict": "passed", "reason": "", "mode": "strict", "spent": False, **measured}
    assert jail.ends == 1
    assert stages == [{"stage": "tests"}]


def test_the_jail_is_told_the_program_the_names_and_the_limits_and_no_test() -> None:
    run(jail := FakeJail(value(3)))
    assert jail.told == [{"program": "", "names": ["add"], "limits": LIMITS}]


def test_a_jail_in_which_files_were_left_is_reported_as_spent() -> None:
    assert run(FakeJail(value(3), how={"spent": True}))["spent"] is True


def test_what_the_keeper_did_not_measure_is_zero() -> None:
    how = {"stopped": "infrastructure", "reason": "cannot fork"}
    found = run(FakeJail(lambda number, name, args: [(KEEPER, {"ended": how})]))
    zero = {"time_s": 0.0, "cpu_s": 0.0, "memory_mib": 0.0, "spent": False, "mode": "strict"}
    assert found == {"verdict": "infrastructure", "reason": "cannot fork", **zero}


@pytest.mark.parametrize(
    ("test", "call"),
    [("assert 1 == 2", ""), ("add(1, 2)\nassert 1 == 2", "add(1, 2)")],
    ids=["no call", "call"],
)
def test_a_failing_test_is_shown_with_the_call_before_it(test: str, call: str) -> None:
    found = run(FakeJail(value(3)), {"tests": [test]})
    assert (found["test"], found["call"]) == ("assert 1 == 2", call)
    assert (found["found"], found["expected"]) == ("1", "2")


def test_an_error_shows_the_call_but_no_comparison_and_before_any_call_neither() -> None:
    found = run(FakeJail(value("3")), {"tests": ["assert add(1, 2) < 3"]})
    assert (found["verdict"], found["call"], "found" in found) == ("error", "add(1, 2)", False)
    found = run(FakeJail(say("raised", "N", "ValueError", "ValueError", "")))
    assert (found["test"], found["call"]) == ("assert add(1, 2) == 3", "add(1, 2)")
    found = run(FakeJail(value(3)), {"setup": "add.x"})
    assert (found["verdict"], "test" in found, "call" in found) == ("error", False, False)
    found = run(FakeJail(value(3)), {"tests": ["add(1, 2)\nraise AssertionError('no')"]})
    assert (found["verdict"], found["test"], "found" in found) == (
        "wrong",
        "raise AssertionError('no')",
        False,
    )


@pytest.mark.parametrize(
    ("first", "verdict", "reason"),
    [
        (["unconfined", "no user"], "infrastructure", "cannot set the limits: no user"),
        (["raised", 0, "ValueError", "Own", "bad"], "error", "Own: bad"),
        (["ready"], "error", "no list of names"),
        (["ready", {}, 1], "error", "no list of names"),
        (["verdict", {"add": "function"}], "error", "no list of names"),
    ],
)
def test_the_programs_first_word_says_whether_it_runs(first: list[Any], verdict: str, reason: str) -> None:
    found = run(FakeJail(value(3), first=first))
    assert found["verdict"] == verdict
    assert found["reason"].endswith(reason)


def test_a_class_of_the_program_can_be_called() -> None:
    assert run(FakeJail(value(3), {"add": "class"}))["verdict"] == "passed"


def test_a_wrong_answer_shows_the_call_and_both_values() -> None:
    found = run(FakeJail(value(4)))
    assert found["verdict"] == "wrong"
    assert found["reason"] == "AssertionError in test 1: assert add(1, 2) == 3"
    assert (found["test"], found["call"], found["found"], found["expected"]) == (
        *("assert add(1, 2) == 3", "add(1, 2)", "4", "3"),
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (say("value", 7, 3, []), "an answer to no question"),
        (say("value", True, 3, []), "an answer to no question"),
        (say("value", "N", 3), "not a message"),
        (say("value", "N", ["no tag"], []), "unknown tag"),
        (say("value", "N", 3, [[2, 1]]), "not a list of changes"),
        (say("value", "N", 3, [[-1, 1]]), "not a list of changes"),
        (say("unwritable", "N"), "an answer to no question"),
        (say("value", "N", 3, "x"), "not a list of changes"),
        (say("unwritable", "N", "too deep"), "its answer cannot be carried over: too deep"),
        (say("raised", "N", "KeyError"), "not a message"),
        (say("raised", "N", "SystemExit", "SystemExit", ""), "no builtin exception"),
        (lambda number, name, args: [(CANDIDATE, {"passed": True})], "not a message"),
        (lambda number, name, args: [(CANDIDATE, [])], "not a message"),
    ],
)
def test_a_message_out_of_place_is_an_error_and_never_a_pass(answer: Any, reason: str) -> None:
    found = run(FakeJail(answer))
    assert found["verdict"] == "error"
    assert reason in found["reason"]
    carried = "cannot be carried over" in reason  # the solution's answer may be no better
    assert found.get("doubt", False) == carried


def test_a_programs_own_words_are_cut_short_in_its_verdict() -> None:
    for words in (("unwritable", "N", "x" * 5000), ("raised", "N", "ValueError", "ValueError", "x" * 5000)):
        assert len(run(FakeJail(say(*words)))["reason"]) <= 300


@pytest.mark.parametrize("kinds", [[1], {"add": 1}, "ready"])
def test_a_list_of_names_that_is_none_is_an_error(kinds: Any) -> None:
    assert "no list of names" in run(FakeJail(value(3), kinds))["reason"]


@pytest.mark.parametrize(
    ("told", "verdict", "reason"),
    [
        (("ValueError", "Own", "bad"), "error", "Own in test 1: assert add(1, 2) == 3: bad"),
        (
            ("AssertionError", "AssertionError", ""),
            "error",
            "AssertionError in test 1: assert add(1, 2) == 3",
        ),
        (("MemoryError", "MemoryError", ""), "memory", "MemoryError"),
        (("", "SystemExit", "0"), "error", "SystemExit in test 1: assert add(1, 2) == 3: 0"),
    ],
)
def test_what_the_program_raises_is_its_error(told: tuple[str, str, str], verdict: str, reason: str) -> None:
    found = run(FakeJail(say("raised", "N", *told)))
    assert (found["verdict"], found["reason"]) == (verdict, reason)


def test_a_test_may_expect_an_exception_but_cannot_swallow_the_end_of_the_program() -> None:
    expecting = "try:\n    add(1, 2)\n    raised = False\nexcept KeyError:\n    raised = True\nassert raised"
    swallowing = "try:\n    add(1, 2)\nexcept:\n    pass"
    raising = say("raised", "N", "KeyError", "KeyError", "x")
    assert run(FakeJail(raising), {"tests": [expecting]})["verdict"] == "passed"
    assert run(FakeJail(raising), {"tests": [swallowing]})["verdict"] == "passed"
    assert run(FakeJail(say("value", 7, 3, [])), {"tests": [swallowing]})["verdict"] == "error"
    dead = [(KEEPER, {"ended": {**DONE, "stopped": "died", "status": 256}})]
    found = run(FakeJail(lambda number, name, args: dead), {"tests": [swallowing]})
    assert (found["verdict"], found["reason"]) == (
        "error",
        "ended before its tests were over (exit status 1)",
    )


def test_a_lost_jail_is_no_verdict_even_inside_a_test_that_catches_all() -> None:
    def lose(number: int, name: str, args: Any) -> Any:
        raise JailLost("gone")

    for test in ("add(1, 2)", "try:\n    add(1, 2)\nexcept:\n    pass"):
        found = run(FakeJail(lose), {"tests": [test]})
        assert found == {"verdict": "infrastructure", "reason": "gone", "spent": True}


def test_a_jail_that_is_lost_after_the_tests_is_no_verdict() -> None:
    class Lost(FakeJail):
        def ended(self) -> dict[str, Any]:
            raise JailLost("gone")

    assert run(Lost(value(3))) == {"verdict": "infrastructure", "reason": "gone", "spent": True}


def test_an_argument_that_cannot_travel_is_no_verdict_on_the_program() -> None:
    for test in ("assert add(len, 2) == 3", "assert add(1, b=len) == 3"):
        found = run(FakeJail(value(3)), {"tests": [test]})
        assert (found["verdict"], found["untestable"]) == ("infrastructure", True)
        assert "cannot be carried over" in found["reason"]


@pytest.mark.parametrize(
    ("code", "error"),
    [("TOTAL = 1 + 'a'", "TypeError"), ("assert False", "AssertionError"), ("x = math.pi", "NameError")],
)
def test_a_prompt_that_cannot_be_run_is_no_verdict_on_the_program(code: str, error: str) -> None:
    problem = {
        "prompt": f"{code}\ndef add(a, b):\n",
        "check": "add",
        "tests": ["def check(c): assert c(1, 2) == 3"],
    }
    found = run(FakeJail(value(3)), problem)
    assert (found["verdict"], found["untestable"]) == ("infrastructure", True)
    assert found["reason"].startswith(f"its prompt cannot be run: {error}")


@pytest.mark.parametrize(
    ("how", "verdict", "reason"),
    [
        ({"stopped": "cpu"}, "timeout", "over its cpu limit of 2 s"),
        ({"stopped": "wall"}, "timeout", "over its wall limit of 5 s"),
        ({"stopped": "output"}, "error", "answered with more than 1 MiB"),
        ({"stopped": "protocol"}, "error", "broke the grader's format"),
        ({"stopped": "infrastructure", "reason": "cannot fork"}, "infrastructure", "cannot fork"),
        ({"stopped": "died", "status": 3 << 8}, "error", "ended before its tests were over (exit status 3)"),
        ({"stopped": "died", "status": signal.SIGSEGV}, "error", "crashed (SIGSEGV)"),
        ({"stopped": "died", "status": 63}, "error", "crashed (signal 63)"),
        ({"stopped": "died", "status": signal.SIGXCPU}, "timeout", "over its cpu limit of 2 s"),
        ({"stopped": "died", "status": signal.SIGKILL, "cpu_s": 2.5}, "timeout", "over its cpu limit of 2 s"),
        ({"stopped": "died", "status": signal.SIGKILL}, "error", "killed (SIGKILL)"),
    ],
)
def test_every_end_of_a_program_has_its_verdict(how: dict[str, Any], verdict: str, reason: str) -> None:
    ended = {**DONE, **how}
    found = run(jail := FakeJail(lambda number, name, args: [(KEEPER, {"ended": ended})]))
    assert (found["verdict"], found["reason"]) == (verdict, reason)
    assert found.get("killed", False) == (reason == "killed (SIGKILL)")
    assert jail.ends == 0
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_limit_that_was_hit_while_the_tests_ran_counts_unless_they_passed() -> None:
    for limit in ("cpu", "wall"):
        assert run(FakeJail(value(4), how={"stopped": limit}))["verdict"] == "timeout"
        assert run(FakeJail(value(3), how={"stopped": limit}))["verdict"] == "passed"
        for broken in (
            say("unwritable", "N", "too deep"),
            say("raised", "N", "MemoryError", "MemoryError", ""),
        ):
            assert run(FakeJail(broken, how={"stopped": limit}))["verdict"] == "timeout"
    assert run(FakeJail(value(4), how={"stopped": "output"}))["verdict"] == "wrong"


def test_the_entry_point_is_the_programs_even_where_the_prompt_has_a_stub() -> None:
    prompt = 'import math\ndef twice(x):\n    return 2 * x\ndef add(a, b):\n    """Add."""\n    return 3\n'
    asserts = "    assert candidate(1, 2) == math.gcd(3, 6)\n    assert add(1, twice(1)) == 3\n"
    check = f"def check(candidate):\n{asserts}"
    problem = {"prompt": prompt, "check": "add", "tests": [check]}
    assert run(FakeJail(value(3)), problem)["verdict"] == "passed"
    assert run(FakeJail(value(4)), problem)["verdict"] == "wrong"
    found = run(FakeJail(value(3), {"add": "absent"}), problem)
    assert (found["verdict"], found["reason"]) == ("error", "the program defines no 'add'")


def test_modules_and_values_of_the_program_are_bound_as_what_they_are() -> None:
    problem = {"tests": ["assert m.sqrt(4) == limit"], "imports": {"m": "math"}}
    assert run(FakeJail(value(2), {"m": "module", "limit": "value"}), problem)["verdict"] == "passed"
    found = run(FakeJail(value(2), {"m": "module", "limit": "value"}), {**problem, "imports": {}})
    assert "NameError" in found["reason"]


def test_changes_in_place_reach_the_tests_own_objects() -> None:
    test = "x = [[1], 2]\nadd(x, 5)\nassert x == [[1, 9], 2, 3]"
    changed = [[0, pack([[1, 9], 2, 3])]]
    assert run(FakeJail(value(None, changed)), {"tests": [test]})["verdict"] == "passed"
    kept = "inner = [1]\nx = [inner, 2]\nadd(x)\nassert inner == [1, 9]\nassert x[0] is inner"
    assert run(FakeJail(value(None, [[0, pack([[1, 9], 2])]])), {"tests": [kept]})["verdict"] == "passed"


def test_shared_mode_believes_only_its_nonce() -> None:
    class Shared(FakeJail):
        def say(self, channel: int, message: Any) -> None:
            self.told.append(message)
            self.waiting.append((CANDIDATE, self.answer(message.get("nonce"))))

    good = {"verdict": "passed", "reason": ""}
    for verdict in ("passed", "wrong", "error", "memory"):
        said = {"verdict": verdict, "reason": "why"}
        found = run(jail := Shared(lambda nonce, said=said: ["verdict", nonce, said]), mode="shared")
        assert (found["verdict"], found["reason"], found["mode"]) == (verdict, "why", "shared")
        assert found["doubt"] == (verdict in ("error", "memory"))
        (told,) = jail.told
        assert {**told, "nonce": ""} == {
            "program": "",
            "limits": LIMITS,
            "nonce": "",
            "setup": "",
            "check": "",
            "tests": ["assert add(1, 2) == 3"],
        }
        assert len(told["nonce"]) == 32
    for wrong in (
        *(lambda nonce: ["verdict", "", good], lambda nonce: ["verdict", nonce, "passed"]),
        *(
            lambda nonce: ["verdict", nonce, {"verdict": "won", "reason": ""}],
            lambda nonce: ["verdict", nonce],
        ),
        lambda nonce: ["verdict", nonce, {"verdict": "passed", "reason": 1}],
    ):
        assert run(Shared(wrong), mode="shared")["verdict"] == "error"
    found = run(Shared(lambda nonce: ["unconfined", "no"]), mode="shared")
    assert (found["verdict"], found["reason"]) == ("infrastructure", "cannot set the limits: no")


def test_memory_that_an_answer_takes_before_any_test_sees_it_is_the_programs() -> None:
    class Large(FakeJail):
        def read(self) -> tuple[int, Any]:
            raise MemoryError

    found = run(Large(value(3)), mode="shared")
    assert (found["verdict"], found["reason"]) == ("memory", "its answers are too large for the tests")
    assert found["doubt"] is True


def test_the_process_serves_request_after_request_until_its_input_ends(tmp_path: Path) -> None:
    launch = {"command": [sys.executable, str(FAKE_WORKER)], "environment": {"PYTHONPATH": str(SOURCE)}}
    command = [sys.executable, str(oracle.__file__), json.dumps({**launch, "folder": "/"})]
    large = "# " + "x" * (1 << 21)  # more than is read at once
    problem = {**ADD, "tests": [*ADD["tests"], large]}
    request = {"mode": "strict", "key": "add", "problem": problem, "limits": LIMITS}
    words = ("passed", "wrong", "error")
    (tmp_path / "requests").write_bytes(b"".join(packed({**request, "program": word}) for word in words))
    with open(tmp_path / "requests", "rb") as requests:
        replies = subprocess.run(command, stdin=requests, stdout=subprocess.PIPE, check=True).stdout
    found = []
    while replies:
        size = int.from_bytes(replies[:4], "little")
        found.append(json.loads(replies[4 : 4 + size]))
        replies = replies[4 + size :]
    assert found[0] == {"ready": "fake"}
    assert found[1::2] == [{"stage": "tests"}] * 3
    assert [reply["verdict"] for reply in found[2::2]] == list(words)


def packed(request: dict[str, Any]) -> bytes:
    data = json.dumps(request).encode()
    return len(data).to_bytes(4, "little") + data


def test_tests_that_do_not_end_are_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "SLACK_S", 0.05)
    monkeypatch.setitem(LIMITS, "wall_s", 0.05)
    before = signal.signal(signal.SIGALRM, oracle.overtime)
    found = run(FakeJail(value(3)), {"tests": ["while add(1, 2): pass"]})
    signal.signal(signal.SIGALRM, before)
    assert (found["verdict"], found["reason"]) == ("timeout", "its answers keep the tests busy")
    assert found["doubt"] is True
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_compiled_tests_are_kept_for_a_bounded_number_of_problems() -> None:
    cache: dict[str, Any] = {}
    for number in range(oracle.CACHED + 5):
        oracle.prepared(str(number), {**ADD, "tests": [f"assert add(1, 2) == {number}"]}, cache)
    assert len(cache) == oracle.CACHED
    assert oracle.prepared("50", ADD, cache) is cache["50"]
