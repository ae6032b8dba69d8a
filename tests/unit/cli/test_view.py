"""`xpflow view`: a page or plain lines from traces of one prompt; which ones, and by whose texts."""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

import pytest

from fakes.decoding import REMASKING, make_model, prompts  # noqa: F401
from xpflow.cli import main
from xpflow.cli.replay import after
from xpflow.decoding import decode, load_traces, save_traces, settings_from
from xpflow.decoding.decoders import DECODERS


@pytest.fixture(scope="module")
def files(make_model, prompts, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:  # noqa: F811
    """Trace files: "own" has two decodes of one prompt with their texts, "bare" two tasks without texts."""
    folder, model = tmp_path_factory.mktemp("traces"), make_model(seed=3)

    def traced(name: str, prompt: list[int], **head: object):
        settings = settings_from(name, {"gen_length": 8})
        [trace] = decode(model, [prompt], settings, trace=True).trace
        trace.head |= head
        return trace

    texts = {
        "texts": {str(token): f"\x1b{token}," for token in range(37)},
        "prompt_text": "Add.",
        "answer": "5",
    }
    own = [traced("threshold", prompts[0], **texts), traced(REMASKING, prompts[0], **texts)]
    bare = [traced("flow", prompts[1], task_id="T/1"), traced("flow", prompts[0], task_id="T/0")]
    found = {"own": folder / "own.npz", "bare": folder / "bare.jsonl"}
    save_traces(found["own"], own)
    save_traces(found["bare"], bare)
    return found


def run(*arguments: object) -> int:
    return main(["view", *map(str, arguments)])


def test_what_is_no_terminal_gets_a_line_for_each_step_and_no_control_character(files, capsys) -> None:
    assert run(files["own"]) == 0
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.splitlines())
    lines = [line[:8] for line in out.splitlines()]
    assert lines[0].startswith("threshol")
    first = lines.index("step   1", 2)
    assert lines[1:3] == ["step   1", "step   2"]
    assert out.splitlines()[first - 1].startswith("remasking")
    assert "▒" not in out.splitlines()[-1]


def test_a_page_holds_all_decodes_of_a_prompt(files, tmp_path, capsys) -> None:
    page = tmp_path / "page.html"
    assert run(files["own"], files["bare"], "--task", "T/0", "--html", page) == 0
    text = page.read_text()
    for name in ("threshold", REMASKING, "flow"):
        assert DECODERS[name].title in text
    said = capsys.readouterr()
    assert said.out == f"{page}\n"
    assert "texts by the tokenizer of llada-micro" in said.err
    assert "3 of 4 traces: those of T/0" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("own bare --task T/1", "no decode of the same prompt"),
        ("bare --task T/2", "no trace of task 'T/2'"),
        ("own --task T/2", "these are of single prompts: leave out --task"),
        ("own --html=", "--html is empty"),
        ("bare --html page.txt", ".html"),
        ("own --model llada-micro", "carry their texts"),
        ("none", "not a trace file"),
    ],
)
def test_what_cannot_be_shown_is_said(files, words, message, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*(files.get(word, word) for word in words.split())) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "step", "playing", "then"),
    [
        (None, 3, True, (4, True)),
        (None, 7, True, (8, False)),
        ("n", 3, True, (4, False)),
        ("n", 8, False, (8, False)),
        ("p", 0, False, (0, False)),
        ("h", 5, False, (0, False)),
        ("e", 5, True, (8, False)),
        (" ", 5, True, (5, False)),
        (" ", 5, False, (5, True)),
        (" ", 8, False, (0, True)),
        ("?", 5, True, (5, True)),
    ],
)
def test_keys_of_the_replay(key, step, playing, then) -> None:
    assert after(key, step, 8, playing) == then


def test_on_a_terminal_keys_step_through_all_decodes_at_once(files) -> None:
    pyte, pty = pytest.importorskip("pyte"), pytest.importorskip("pty")
    most = max(trace.head["nfe"] for trace in load_traces(files["own"]))
    screen = pyte.Screen(100, 40)
    stream = pyte.ByteStream(screen)
    child, terminal = pty.fork()
    if child == 0:  # COLUMNS and LINES: a new terminal has no size
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
        os.execv(sys.executable, [sys.executable, "-m", "xpflow", "view", str(files["own"])])

    def until(text: str) -> None:
        while text not in "\n".join(screen.display):
            assert select.select([terminal], [], [], 300)[0], screen.display
            stream.feed(os.read(terminal, 65536))

    try:
        until(f"forward {most} of {most}")  # it plays by itself
        os.write(terminal, b"h")
        until("forward 0 of")
        assert "\n".join(screen.display).count("0 of ") == 3
        os.write(terminal, b"n")
        until("forward 1 of")
        os.write(terminal, b"q")
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
        os.close(terminal)
    assert status == 0
