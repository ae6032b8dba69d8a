"""The inputs of a hunt through public bug reports: what a case has to run commands with.

A case talks to xpflow through its command line and its files alone, so the same case can be run against
other source: `XPFLOW_CASES_SOURCE=/path/to/src pytest tests/cases`. What was renamed since is spelled as that
source has it (`Place.study`).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SOURCE = Path(os.environ.get("XPFLOW_CASES_SOURCE", ROOT / "src")).resolve()
UMASK = 0o022
BEFORE = (SOURCE / "xpflow" / "config").is_dir()  # 0.1: `align` and the block `alignment`


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    said: str

    def refused(self, *words: str) -> str:
        """Hold that it ended with an error of ours that has these words, and return what it said."""
        assert "Traceback" not in self.said, self.said[-3000:]
        assert self.code == 2, (self.code, self.out[-2000:], self.said[-2000:])
        assert "error: " in self.said or "Usage" in self.said or "Error" in self.said, self.said
        plain = " ".join(self.said.split())
        assert [word for word in words if word not in plain] == [], self.said
        return plain

    def passed(self) -> Done:
        """Hold that it ended well."""
        assert self.code == 0, (self.out[-2000:], self.said[-3000:])
        return self


class Command:
    """Command lines of one source, from a process that has loaded torch."""

    def __init__(self, scratch: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
        environment["XPFLOW_CACHE"] = str(scratch / "cache")
        self.environment, self.scratch, self.count = environment, scratch, 0
        words = [sys.executable, str(Path(__file__).with_name("server.py"))]
        pipe = subprocess.PIPE
        self.server = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, text=True, env=environment, cwd=scratch, bufsize=1
        )

    def start(self, *words: object, folder: Path, **environment: str) -> int:
        """Start a command and return its process' id; `wait` must follow."""
        self.count += 1
        files = {key: str(self.scratch / f"{self.count}.{key}") for key in ("out", "err")}
        request = {
            "words": [*map(str, words)],
            "folder": str(folder),
            "environment": environment,
            "umask": UMASK,
            **files,
        }
        assert self.server.stdin is not None
        print(json.dumps(request), file=self.server.stdin)
        return int(self._answer())

    def wait(self) -> Done:
        """Return what the command that was started last has left behind."""
        code = int(self._answer())
        out, err = (
            (self.scratch / f"{self.count}.{key}").read_bytes().decode("utf-8", "replace")
            for key in ("out", "err")
        )
        return Done(code, out, err)

    def __call__(self, *words: object, folder: Path, **environment: str) -> Done:
        """Run a command in a folder, to its end."""
        self.start(*words, folder=folder, **environment)
        return self.wait()

    def killed_when(self, there: Callable[[], bool], *words: object, folder: Path) -> Done:
        """Run a command until something is there, and kill it."""
        process = self.start(*words, folder=folder)
        while not there() and Path(f"/proc/{process}").exists():
            time.sleep(0.01)
        os.killpg(process, signal.SIGKILL)
        return self.wait()

    def fresh(self, *words: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command in a new Python: for what is decided when it starts."""
        command = [sys.executable, "-m", "xpflow", *map(str, words)]
        return subprocess.run(
            command, cwd=folder, env={**self.environment, **environment}, capture_output=True, check=False
        )

    def _answer(self) -> str:
        assert self.server.stdout is not None
        return self.server.stdout.readline() or pytest.fail(f"the source at {SOURCE} cannot be loaded")


class Place:
    """A folder of one case: files, and commands that run there."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.folder, self.command = folder, command

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def run(self, *words: object, **environment: str) -> Done:
        return self.command(*words, folder=self.folder, **environment)

    @property
    def trains(self) -> str:
        """The stage that trains a model on its own answers."""
        return "align" if BEFORE else "train"

    def rows(self, name: str, *rows: dict[str, Any]) -> str:
        """Write JSON lines and return the file's name."""
        (self / name).parent.mkdir(parents=True, exist_ok=True)
        (self / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return name

    def read(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a file of JSON lines."""
        return [json.loads(line) for line in (self / name).read_text(encoding="utf-8").splitlines()]

    def study(self, **blocks: Any) -> str:
        """Write study.yaml, in the words of the source that is tried, and return its name."""
        if BEFORE and "training" in blocks:
            block = dict(blocks.pop("training"))
            blocks["alignment"] = {"variants" if key == "runs" else key: block[key] for key in block}
        if BEFORE:
            blocks["models"] = [
                {"alignment" if key == "training" else key: model[key] for key in model}
                for model in blocks.get("models", [])
            ] or None
            blocks = {key: block for key, block in blocks.items() if block is not None}
        (self / "study.yaml").write_text(yaml.safe_dump(blocks, sort_keys=False), encoding="utf-8")
        return "study.yaml"

    def model(self, name: str = "llada-micro", **changes: Any) -> Path:
        """Copy a shipped model, change keys of its config.json (None drops one), and return its folder."""
        folder = self / f"model-{len(list(self.folder.glob('model-*')))}"
        shutil.copytree(ROOT / "src" / "xpflow" / "models" / "shipped" / name, folder)
        rewrite(folder / "config.json", **changes)
        return folder


def rewrite(file: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None drops one."""
    fields = {**json.loads(file.read_text(encoding="utf-8")), **changes}
    kept = {key: value for key, value in fields.items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """The command line of the source that is tried."""
    found = Command(tmp_path_factory.mktemp("commands"))
    yield found
    assert found.server.stdin is not None
    found.server.stdin.close()
    found.server.wait()


@pytest.fixture
def place(tmp_path: Path, command: Command) -> Place:
    """A folder for one case."""
    return Place(tmp_path, command)


@pytest.fixture(scope="session")
def decode() -> tuple[str, ...]:
    """The least of a decoding: two problems, four tokens, four steps."""
    few = ("--set", "gen_length=4", "--threads", "1")
    return ("decode", "--benchmark", "humaneval", "--limit", "2", *few)
