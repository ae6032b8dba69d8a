"""Install torch where this runs: CUDA's build if the machine has an NVIDIA GPU, else the CPU's.

    .venv/bin/python workflow/setup/torch_build.py              # decides, and says what it does in one line
    .venv/bin/python workflow/setup/torch_build.py torch==2.12.0 --index-url URL     # this, and nothing else

Both builds are locked by hash. The CPU's is taken from pip's own index or folders if they have it, else
from PyTorch's index; where that does not answer, pip's own index has CUDA's build, which is larger and
runs without a GPU as well.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import environment

LOCKS = Path(__file__).parents[2] / "containers"
CPU, CUDA = LOCKS / "torch-cpu.lock", LOCKS / "torch-cuda.lock"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CPU_SIZE, CUDA_SIZE = "0.2 GB", "2.7 GB"
MACHINES = ("x86_64", "aarch64")
LOOK_S = 10.0
# What the driver leaves: of a machine, of a container without /proc/driver, of Windows' Linux.
TRACES = ("proc/driver/nvidia/gpus/*", "dev/nvidia[0-9]*", "usr/lib/wsl/lib/libcuda.so*")

Pip = Callable[[Sequence[str], bool], bool]


def main(
    *asked: str,
    root: Path = Path("/"),
    pip: Pip | None = None,
    answers: Callable[[str], bool] | None = None,
) -> int:
    """Install what is asked for or, if nothing is, the build that fits; return the exit code."""
    pip, answers = pip or run_pip, answers or reachable
    if asked:
        return _code(pip(asked, True))
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return _code(pip([f"torch=={locked_version()}"], True))
    gpu = find_gpu(root)
    if gpu:
        say(f"found {gpu}: installing torch with CUDA ({CUDA_SIZE})")
        again = ["--force-reinstall"] if installed().endswith("+cpu") else []
        return _code(pip([*_locked(CUDA), *again], True))
    say(f"no NVIDIA GPU here: installing torch for the CPU ({CPU_SIZE})")
    if pip(_locked(CPU), False):
        return 0
    if answers(CPU_INDEX):
        return _code(pip([*_locked(CPU), "--extra-index-url", CPU_INDEX], True))
    say(f"{CPU_INDEX} does not answer: installing torch with CUDA from pip's own index ({CUDA_SIZE})")
    return _code(pip(_locked(CUDA), True))


def find_gpu(root: Path = Path("/")) -> str | None:
    """Return what shows that an NVIDIA GPU is here: a file that its driver makes, or nvidia-smi's answer."""
    for trace in TRACES:
        if found := sorted(root.glob(trace)):
            return str(found[0])
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    try:
        done = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=LOOK_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout.startswith("GPU ") else None


def reachable(index: str) -> bool:
    """Return whether a package index answers within seconds."""
    try:
        environment.read(f"{index}/torch/")
    except OSError:
        return False
    return True


def installed() -> str:
    """Return the version of torch that is here, with its build; empty: none."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def locked_version() -> str:
    """Return the version of torch that the locks name, without its build."""
    [found] = re.findall(r"(?m)^torch==([0-9.]+)", CUDA.read_text(encoding="utf-8"))
    return str(found)


def run_pip(words: Sequence[str], aloud: bool) -> bool:
    """Run `pip install`; return whether it succeeded. What it complains of is shown only `aloud`."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", *words]
    return subprocess.run(command, capture_output=not aloud).returncode == 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _locked(lock: Path) -> list[str]:
    """Return the words that install a lock; what else torch needs is in requirements.lock."""
    return ["--no-deps", "--require-hashes", "-r", str(lock)]


def _code(succeeded: bool) -> int:
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
