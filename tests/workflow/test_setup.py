"""What `make` runs before there is an environment: pip where Python brings none, and the build of torch."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "setup"))
import environment  # noqa: E402
import torch_build  # noqa: E402

CPU, CUDA = "torch-cpu.lock", "torch-cuda.lock"
PYTHONS = ((3, 11), (3, 12), (3, 13))


class Pip:
    """Notes what it is asked to install; fails where a word of `fails` is asked for."""

    def __init__(self, *fails: str) -> None:
        self.fails, self.asked = fails, list[tuple[str, bool]]()

    def __call__(self, words: Sequence[str], aloud: bool) -> bool:
        line = " ".join(Path(word).name if word.startswith("/") else word for word in words)
        self.asked.append((line, aloud))
        return not any(part in line for part in self.fails) or "--extra-index-url" in line


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a Linux machine without a GPU, with an empty PATH, where no torch is installed."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(torch_build, "installed", lambda: "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "proc/driver/nvidia/gpus").mkdir(parents=True)  # a driver without a card
    (tmp_path / "dev").mkdir()
    return tmp_path


def made(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


HASHED = "--no-deps --require-hashes -r"


def test_without_a_gpu_torch_is_the_cpus_from_where_pip_looks_anyway(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pip = Pip()
    assert torch_build.main(root=machine, pip=pip) == 0
    assert pip.asked == [(f"{HASHED} {CPU}", False)]
    assert re.fullmatch("no NVIDIA GPU here: .* CPU .*GB.*\n", capsys.readouterr().err)


def test_where_pip_has_no_cpu_build_pytorchs_own_index_is_asked(machine: Path) -> None:
    pip = Pip(CPU)
    assert torch_build.main(root=machine, pip=pip, answers=lambda index: True) == 0
    assert pip.asked[1:] == [(f"{HASHED} {CPU} --extra-index-url {torch_build.CPU_INDEX}", True)]


def test_where_that_index_does_not_answer_cudas_build_is_taken_and_named(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pip = Pip(CPU)
    assert torch_build.main(root=machine, pip=pip, answers=lambda index: False) == 0
    assert pip.asked[1:] == [(f"{HASHED} {CUDA}", True)]
    assert "does not answer: installing torch with CUDA" in capsys.readouterr().err
    assert torch_build.main(root=machine, pip=Pip(CPU, CUDA), answers=lambda index: False) == 1


@pytest.mark.parametrize(
    "trace", ["proc/driver/nvidia/gpus/0000:01:00.0", "dev/nvidia0", "usr/lib/wsl/lib/libcuda.so.1"]
)
def test_what_an_nvidia_driver_leaves_chooses_cudas_build(
    trace: str, machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(machine / trace)
    pip = Pip()
    assert torch_build.main(root=machine, pip=pip) == 0
    assert pip.asked == [(f"{HASHED} {CUDA}", True)]
    assert trace in capsys.readouterr().err


@pytest.mark.parametrize(
    ("says", "gpu"), [("echo 'GPU 0: NVIDIA H200'", True), ("echo 'No devices'", False), ("exit 9", False)]
)
def test_nvidia_smi_is_asked_where_there_is_no_other_trace(says: str, gpu: bool, machine: Path) -> None:
    made(machine / "bin/nvidia-smi", f"#!/bin/sh\n{says}\n")
    assert (torch_build.find_gpu(machine) == "GPU 0: NVIDIA H200") == gpu
    assert (torch_build.find_gpu(machine) is not None) == gpu


def test_a_cpu_build_that_is_installed_gives_way_where_a_gpu_came(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else pip takes 2.13.0+cpu for the 2.13.0 of the lock."""
    monkeypatch.setattr(torch_build, "installed", lambda: "2.13.0+cpu")
    made(machine / "dev/nvidia0")
    pip = Pip()
    assert torch_build.main(root=machine, pip=pip) == 0
    assert pip.asked == [(f"{HASHED} {CUDA} --force-reinstall", True)]


@pytest.mark.parametrize("gpu", [False, True])
def test_what_is_asked_for_is_installed_and_nothing_else(gpu: bool, machine: Path) -> None:
    if gpu:
        made(machine / "dev/nvidia0")
    pip = Pip()
    assert torch_build.main("torch==2.12.0", "--index-url", "URL", root=machine, pip=pip) == 0
    assert pip.asked == [("torch==2.12.0 --index-url URL", True)]


def test_no_lock_is_made_for_other_machines(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    pip = Pip()
    assert torch_build.main(root=machine, pip=pip) == 0
    assert pip.asked == [(f"torch=={torch_build.locked_version()}", True)]


@pytest.mark.parametrize(("set_by", "words"), [((), ""), (("TORCH=torch==2.12.0",), "torch==2.12.0")])
def test_make_hands_on_torch_only_where_somebody_set_it(set_by: tuple[str, ...], words: str) -> None:
    variables = {n: v for n, v in os.environ.items() if n != "TORCH" and not n.startswith("MAKE")}
    command = ["make", "-n", "-B", "PYTHON=python3", *set_by, ".venv/.run"]
    plan = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True).stdout
    [line] = [line for line in plan.splitlines() if "torch_build.py" in line]
    assert line.partition("torch_build.py")[2].strip() == words


def entries(name: str) -> dict[str, tuple[str, int]]:
    """Return package -> (version, number of hashes) of a lock beside the container recipes."""
    text = (ROOT / "containers" / name).read_text(encoding="utf-8")
    blocks = re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*)==([^\s\\]+)((?:.*\n)(?:    --hash.*\n)*)", text)
    return {package: (pin, rest.count("--hash=sha256:")) for package, pin, rest in blocks}


def test_both_builds_are_locked_by_hash_for_the_three_pythons_with_the_same_pins_beside() -> None:
    cpu, cuda = entries(CPU), entries(CUDA)
    assert all(hashes for _, hashes in (*cpu.values(), *cuda.values()))
    assert cpu["torch"] == (f"{torch_build.locked_version()}+cpu", len(PYTHONS) * len(torch_build.MACHINES))
    assert cuda["torch"][0] == torch_build.locked_version()
    for name in cpu.keys() - {"torch"}:
        assert cpu[name][0] == cuda[name][0]
    pinned = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not [name for name in cuda if re.search(rf"(?m)^{re.escape(name)}==", pinned)]


def test_every_package_that_make_installs_is_locked_by_hash() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = re.findall(r"(?m)^\t.*pip install (.*)$", makefile)
    assert installs
    assert all("--require-hashes" in line or "--no-deps -e ." in line for line in installs)
    assert all("--no-build-isolation" in line or "build.lock" in line for line in installs)


MAIN = """
import sys, sysconfig, zipfile
from pathlib import Path
assert sys.argv[1:4] == ["install", "--quiet", "--no-index"], sys.argv
package = Path(sysconfig.get_path("purelib"), "pip")
package.mkdir()
(package / "__init__.py").write_text("came = 'from the wheel'")
"""


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A stand-in for the wheel of pip, on a Python whose ensurepip does not work."""
    made(tmp_path / "broken/ensurepip.py", "raise SystemExit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(environment, "SETTINGS", ())
    with zipfile.ZipFile(tmp_path / "wheel", "w") as file:
        file.writestr("pip/__main__.py", MAIN)
    data = (tmp_path / "wheel").read_bytes()
    monkeypatch.setattr(environment, "SHA256", hashlib.sha256(data).hexdigest())
    return data


def index_of(folder: Path, data: bytes) -> str:
    """Make a package index in a folder; return its address."""
    made(folder / "files" / environment.WHEEL)
    (folder / "files" / environment.WHEEL).write_bytes(data)
    link = f"../../files/{environment.WHEEL}#sha256={'0' * 64}"
    made(folder / "simple/pip/index.html", f'<a href="../../files/pip-1.0.whl">1</a> <a href="{link}">2</a>')
    return f"file://{folder}/simple"


def came_from_the_wheel(place: Path) -> bool:
    asked = [place / "bin/python", "-c", "import pip; print(pip.came)"]
    return subprocess.run(asked, capture_output=True, text=True).stdout == "from the wheel\n"


@pytest.mark.parametrize("named", ["PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_FIND_LINKS"])
def test_without_ensurepip_pip_comes_from_where_pip_would_look(
    named: str, wheel: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_of(tmp_path / "index", wheel)
    made(tmp_path / "pip.conf", f"[global]\nindex-url = {index}\n")
    places = {
        "PIP_INDEX_URL": index,
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "PIP_FIND_LINKS": f"/nothing/here {tmp_path}/index/files",
    }
    monkeypatch.setenv(named, places[named])
    assert environment.main(str(tmp_path / "env")) == 0
    assert came_from_the_wheel(tmp_path / "env")
    assert environment.main(str(tmp_path / "env")) == 0  # it has pip now: nothing is fetched


@pytest.mark.parametrize("fault", ["another file", "no such file", "no index"])
def test_a_pip_that_cannot_be_had_or_is_another_file_is_not_run(
    fault: str,
    wheel: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    index = index_of(tmp_path / "index", wheel + b"0" if fault == "another file" else wheel)
    if fault == "no such file":
        made(tmp_path / "index/simple/pip/index.html", "<a href='pip-1.0.whl'>1</a>")
    monkeypatch.setenv("PIP_INDEX_URL", f"{index}-not" if fault == "no index" else index)
    assert environment.main(str(tmp_path / "env")) == 1
    assert not environment.has_pip(tmp_path / "env/bin/python")
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: the environment has no pip")
    assert f"install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in said


@pytest.fixture
def guarded() -> Iterator[tuple[str, list[str]]]:
    """A server that answers each request with the login that it came with."""
    paths: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.headers.get("Authorization", "nobody").encode())

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", paths
    server.shutdown()
    server.server_close()


def test_an_indexs_login_is_given_to_it(
    guarded: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, paths = guarded
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(environment, "setting", lambda name: None)
    login = base64.b64encode(b"me:a@b").decode()
    assert environment.read(f"http://me:a%40b@{host}/simple/pip/") == f"Basic {login}".encode()
    assert environment.read(f"http://{host}/simple/pip/") == b"nobody"
    assert paths == ["/simple/pip/"] * 2
