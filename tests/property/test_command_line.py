"""Whatever is written on a command line or in a study, the answer is a result or an error of ours.

Values are drawn from what people, scripts and shells really pass: empty texts, other encodings, numbers that
are none, folders for files, files of other kinds. Work that takes long is replaced by an error of ours.
"""

from __future__ import annotations

import copy
import io
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer.main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xpflow.cli import COMMANDS, main
from xpflow.errors import ModelLoadError, XpflowError
from xpflow.study.check import check_plugins, check_study
from xpflow.study.config import StudyConfig, study_from_mapping

EXAMPLES = int(os.environ.get("XPFLOW_EXAMPLES", "4"))  # of each command; 200 for the full test
MEANT = {0, 1, 2, *range(11, 17)}  # exit codes
VALUES = [
    *("", " ", "abc", "0", "-1", "1", "1/4", "1/0", "0/0", "3/2", "nan", "inf", "1e400", "9" * 30, "0x10"),
    *("humaneval", "flow", "threshold", "llada-micro", "bwrap", "constant:0.5", "constant:", "confidence:x"),
    *("decoder=flow", "gen_length=8", "gen_length=x", "=", "temperature=inf", "suppress=none", "a=b=c"),
    *("a\0b", "caf\udce9", "\udcff", "x" * 300, "ünï", "a\nb", "--", "..", ".", "/dev/null", "/proc/x"),
    *("folder", "empty", "binary", "text.jsonl", "samples.jsonl", "study.yaml", "deep.yaml", "list.yaml"),
    *("deep.json", "file/x", "new", "new.jsonl", "new.npz", "new.tar.xz", "plug.py", "plug.py:X", "no.py:X"),
    *("results/s", "results/nosuch", "folder/config.json", "a,b,c,d", "llada-micro,humaneval,mask-base,1/4"),
]
HUMANEVAL = (
    '{"task_id": "HumanEval/0", "prompt": "def f(x):\\n", "entry_point": "f", '
    '"canonical_solution": "    return x\\n", "test": "def check(f):\\n    assert f(1) == 1\\n"}\n'
)
FILES = {
    "empty": b"",
    "binary": bytes(range(256)),
    "file": b"a file",
    "text.jsonl": b"no json\n",
    "samples.jsonl": b'{"task_id": "HumanEval/0", "completion": "pass", "verdict": "passed"}\n',
    "problems.jsonl": HUMANEVAL.encode(),
    "study.yaml": b"study: {name: s}\nevaluation: {budgets: [1/4]}\n",
    "deep.yaml": b"[" * 3000,
    "deep.json": b"[" * 5000,
    "list.yaml": b"- 1\n- 2\n",
    "plug.py": b"raise RuntimeError('at import')\n",
    "folder/config.json": b"{}",
    "results/s/study.yaml": b"study: {name: s}\n",
}
SLOW = (
    *("xpflow.models.load.load_model", "xpflow.runtime.models.load_model"),
    *("xpflow.training.pretrain.pretrain_to_folder", "xpflow.models.untrained.write_tiny_model"),
    *("xpflow.bench.decoding.bench_model", "xpflow.bench.grading.bench_grading"),
    *("xpflow.bench.grading.disagreements", "xpflow.images.build.run_build", "xpflow.slurm.check_cluster"),
    *("xpflow.problems.stand_in.write_stand_ins", "xpflow.problems.micropy.load", "xpflow.doctor.examine"),
    *("xpflow.grading.samples.grade_samples", "xpflow.hub.remote.HuggingFaceHub"),
    "xpflow.harness.run.run",
)


def leaves() -> Iterator[tuple[list[str], Any]]:
    """Yield the words and the parameters of every command."""
    for name, (module, _) in COMMANDS.items():
        command = typer.main.get_command(import_module(module).app)
        found = getattr(command, "commands", None)
        yield from ((([name, sub], inner) for sub, inner in found.items()) if found else [([name], command)])


LEAVES = {" ".join(words): (words, command) for words, command in leaves()}


def stopped(*args: Any, **values: Any) -> NoReturn:
    raise ModelLoadError("this would take long")


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder, before = tmp_path_factory.mktemp("fuzz"), Path.cwd()
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    patch = pytest.MonkeyPatch()
    for name in SLOW:
        patch.setattr(name, stopped)
    patch.delenv("XPFLOW_DEBUG", raising=False)
    patch.setenv("COLUMNS", "80")
    os.chdir(folder)
    yield folder
    os.chdir(before)
    patch.undo()


RIGHT = {
    **dict.fromkeys(("config", "file", "files"), "study.yaml"),
    **dict.fromkeys(("samples", "verdicts", "data", "parts"), "samples.jsonl"),
    **dict.fromkeys(("results", "path"), "results/s"),
    **dict.fromkeys(("out", "into", "json_out"), "new"),
    "problems": "problems.jsonl",
    "model": "llada-micro",
    "benchmark": "humaneval",
    "name": "humaneval",
    "budget": "1/4",
    "seed": "0",
    "limit": "1",
    "decoder": "flow",
    "arm": "flow-shipped",
    "prompt": "x",
    "protocol": "llada-opencompass",
    "set_": "gen_length=8",
    "policy": "constant:0.5",
    "trace": "new.npz",
    "checkpoint": "folder",
    "start": "folder",
    "weights": "paper",
    "run": "paper",
    "replay": "1",
}


def arguments(command: Any) -> st.SearchStrategy[list[str]]:
    """Return what one may write behind a command: some of its options, some values."""
    options, words = [], []
    for parameter in command.params:
        right = [RIGHT[parameter.name]] * len(VALUES) if parameter.name in RIGHT else []
        value = st.sampled_from([*right, *VALUES])
        if parameter.param_type_name == "argument":
            words.append(st.lists(value, min_size=int(parameter.required), max_size=2))
        elif parameter.is_flag:
            options.append(st.sampled_from([[], [parameter.opts[0]]]))
        else:
            one = value.map(lambda text, name=parameter.opts[0]: [f"{name}={text}"])
            options.append(one if parameter.required else st.one_of(st.just([]), one))
    parts = st.tuples(*options, *words)
    return parts.map(lambda found: [word for part in found for word in part])


@pytest.mark.parametrize("name", LEAVES)
def test_no_command_line_ends_in_a_traceback(name: str) -> None:
    words, command = LEAVES[name]

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(arguments(command))
    def answers(rest: list[str]) -> None:
        said = io.StringIO()
        with redirect_stdout(io.StringIO()), redirect_stderr(said):
            code = main([*words, *rest])
        assert code in MEANT, said.getvalue()
        assert "Traceback" not in said.getvalue()

    answers()


def places(values: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value in a configuration."""
    yield before
    if isinstance(values, dict):
        for key, value in values.items():
            yield from places(value, (*before, key))
    elif isinstance(values, list):
        for key, value in enumerate(values[:2]):
            yield from places(value, (*before, key))


WHOLE = StudyConfig().model_dump(mode="json")
ODD: list[Any] = [
    *(None, True, -1, 0, 10**9, 10**40, 0.5, float("nan"), float("inf")),
    *("", "nosuch", "1/3", "a\0b", "\udcff", "plug.py:X", "../x.py:Y", "constant:2", "cuda:7"),
    *([], {}, [[]], {"a": 1}, ["nosuch"], [-1]),
]


CHANGES = st.tuples(st.sampled_from(list(places(WHOLE))), st.sampled_from(ODD))


@settings(max_examples=8 * EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.lists(CHANGES, min_size=1, max_size=2))
def test_no_study_ends_in_a_traceback(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    values: Any = copy.deepcopy(WHOLE)
    for place, value in changes:
        if not place:
            values = value
            continue
        inside = values
        try:
            for key in place[:-1]:
                inside = inside[key]
            inside[place[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # the first change took the second one's place away
    if not isinstance(values, dict):
        return  # `load_study` says so before
    said = "a valid study"
    try:
        study = study_from_mapping(values, source="s.yaml")
        check_study(study, "s.yaml")
        check_plugins(study, "s.yaml")
    except XpflowError as error:
        said = str(error)
    assert said
