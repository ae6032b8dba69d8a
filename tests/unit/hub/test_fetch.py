"""Fetching from a hub on the loopback with the real client, in a process and a cache of its own."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from fakes.hub import FakeHub, serving
from xpflow.errors import HubError
from xpflow.hub.fetch import fetch
from xpflow.hub.remote import RemoteFile, translated
from xpflow.hub.repo import HubRepo
from xpflow.models.registry import HUB_MODELS

REVISION = "0123456789abcdef0123456789abcdef01234567"
MBPP, LLADA = "datasets/google-research-datasets/mbpp", "models/GSAI-ML/LLaDA-8B-Instruct"
STUDY = f"""
study: {{name: far}}
problems:
  benchmarks: [{{name: mbpp}}]
  sources: {{mbpp_revision: {REVISION}}}
"""
LOCK = f"results/hub/mbpp@{REVISION[:12]}.json"


def rows_of_prompt_split() -> bytes:
    rows = [
        {"task_id": n, "text": f"Return {n}.", "code": f"def f():\n    return {n}", "test_setup_code": "",
         "test_list": [f"assert f() == {n}"] * 3, "challenge_test_list": []}
        for n in range(1, 11)
    ]  # fmt: skip
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


@dataclass
class Desk:
    """A working folder, a hub, and the command line between them."""

    folder: Path
    hub: FakeHub

    def xpflow(self, *arguments: str, offline: bool = False) -> subprocess.CompletedProcess[str]:
        settings = {"HF_ENDPOINT": self.hub.url, "HF_HUB_OFFLINE": str(int(offline)), "HF_HOME": "hf"}
        return subprocess.run(
            [sys.executable, "-m", "xpflow.cli", *arguments],
            cwd=self.folder,
            env={**os.environ, **settings, "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def fetch(self, *arguments: str, offline: bool = False) -> subprocess.CompletedProcess[str]:
        return self.xpflow("fetch", "--config", "study.yaml", *arguments, offline=offline)

    def lock(self) -> dict[str, object]:
        return dict(json.loads((self.folder / LOCK).read_text()))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    files = {"full/prompt-00000-of-00001.parquet": rows_of_prompt_split(), "README.md": b"# MBPP\n"}
    repos = {MBPP: {REVISION: files | {"script.py": b"raise SystemExit"}}}
    (tmp_path / "study.yaml").write_text(STUDY)
    with serving(FakeHub(repos)) as hub:
        yield Desk(tmp_path, hub)


def test_a_fetch_records_every_file_and_the_rest_works_offline(desk: Desk) -> None:
    done = desk.fetch()
    assert done.returncode == 0, done.stderr
    files = desk.hub.repos[MBPP][REVISION]
    assert desk.lock() == {
        "id": "google-research-datasets/mbpp",
        "revision": REVISION,
        "files": [
            {"name": name, "size": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
            for name in sorted(files)
            if name != "script.py"
        ],
    }
    assert "script.py" not in desk.hub.sent
    export = ("problems", "export", "mbpp", "--split", "prompt", "--config", "study.yaml", "--out", "p.jsonl")
    done = desk.xpflow(*export, offline=True)
    assert done.returncode == 0, done.stderr
    assert len((desk.folder / "p.jsonl").read_text().splitlines()) == 10


def test_a_second_fetch_loads_nothing_needs_no_network_and_checks_the_files(desk: Desk) -> None:
    assert desk.fetch().returncode == 0
    before, sent = desk.lock(), list(desk.hub.sent)
    assert desk.fetch(offline=True).returncode == 0
    assert (desk.lock(), desk.hub.sent) == (before, sent)
    [file] = (desk.folder / "hf/hub").glob("datasets--*/snapshots/*/README.md")
    file.resolve().write_bytes(b"# changed")
    done = desk.fetch(offline=True)
    assert done.returncode == 2
    assert "README.md: is not" in done.stderr
    assert "remove the lock" in done.stderr


def test_a_stopped_fetch_goes_on_with_the_files_that_are_missing(desk: Desk) -> None:
    desk.hub.fail_after["README.md"] = 0
    assert desk.fetch().returncode == 2
    assert not (desk.folder / LOCK).exists()
    desk.hub.fail_after.clear()
    assert desk.fetch().returncode == 0
    assert desk.hub.sent.count("full/prompt-00000-of-00001.parquet") == 1


def test_another_revision_in_the_lock_is_an_error_before_anything_is_asked(desk: Desk) -> None:
    other = {"id": "google-research-datasets/mbpp", "revision": "f" * 40, "files": []}
    (desk.folder / "mbpp.json").write_text(json.dumps(other))
    done = desk.fetch("--only", "mbpp", "--out", "mbpp.json", offline=True)
    assert done.returncode == 2
    assert f"at {'f' * 40}" in done.stderr
    assert REVISION in done.stderr


def test_bytes_that_are_not_the_hub_s_are_an_error(desk: Desk) -> None:
    desk.hub.lied_sha256["full/prompt-00000-of-00001.parquet"] = "a" * 64
    done = desk.fetch()
    assert done.returncode == 2
    assert "the hub says" in done.stderr
    assert not (desk.folder / LOCK).exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda hub: hub.gated.add(MBPP), ["is gated", "hf auth login"]),
        (lambda hub: hub.repos.clear(), ["does not exist on the hub, or is private", "hf auth login"]),
        (lambda hub: hub.repos[MBPP].clear(), [f"has no revision {REVISION}"]),
        (
            lambda hub: hub.repos[MBPP][REVISION].popitem() and hub.repos[MBPP][REVISION].clear(),
            ["no .parquet"],
        ),
    ],
)
def test_no_access_and_wrong_revisions_are_errors_before_the_download(
    desk: Desk, change: Callable[[FakeHub], object], expected: list[str]
) -> None:
    change(desk.hub)
    done = desk.fetch()
    assert done.returncode == 2
    assert all(text in done.stderr for text in expected), done.stderr
    assert desk.hub.sent == []
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENOTDIR])
def test_a_cache_that_cannot_be_written_to_can_be_put_elsewhere(number: int) -> None:
    with pytest.raises(HubError) as caught, translated(HubRepo("name", "owner/name", "0" * 40)):
        raise OSError(number, "no", "/home/nobody/.cache/huggingface")
    assert "/home/nobody/.cache/huggingface" in caught.value.message
    assert "HF_HOME" in caught.value.hint


def test_offline_mode_and_unknown_names_are_errors_that_say_so(desk: Desk) -> None:
    done = desk.fetch(offline=True)
    assert "HF_HUB_OFFLINE is set" in done.stderr
    assert "did you mean 'mbpp'" in desk.fetch("--only", "mbp").stderr


def test_a_known_hash_of_a_published_model_must_be_met(desk: Desk) -> None:
    model = HUB_MODELS["llada-8b-instruct"]
    files = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"pickle"}
    desk.hub.repos[LLADA] = {model.revision: files}
    text = "models: [{name: llada-8b-instruct, training: full}]\ngrpo: {model: llada-8b-instruct}\n"
    (desk.folder / "study.yaml").write_text("study: {name: far}\n" + text)
    done = desk.fetch()
    assert done.returncode == 2
    assert f"config.json: 2 bytes with sha256 {hashlib.sha256(b'{}').hexdigest()}" in done.stderr
    assert model.sha256["config.json"] in done.stderr
    assert "pytorch_model.bin" not in desk.hub.sent


class SmallDisk:
    """A hub beside a disk with little room; some files are cached."""

    def __init__(self, free: int, cached: tuple[str, ...] = ()) -> None:
        self.free, self.names, self.downloads = free, cached, 0

    def files(self, repo: HubRepo) -> list[RemoteFile]:
        return [RemoteFile("a.safetensors", 3 * 2**30), RemoteFile("b.safetensors", 2 * 2**30)]

    def cached(self, repo: HubRepo, name: str) -> Path | None:
        return Path("/cache") / name if name in self.names else None

    def free_bytes(self) -> int:
        return self.free

    def download(self, repo: HubRepo) -> Path:
        self.downloads += 1
        raise HubError("downloaded")


def test_a_disk_that_is_too_small_is_an_error_before_the_download(tmp_path: Path) -> None:
    repo, hub = HubRepo("m", "o/m", REVISION), SmallDisk(4 * 2**30)
    with pytest.raises(HubError, match=r"needs 5\.00 GiB in the hub cache, and its disk has 4\.00 GiB free"):
        fetch(repo, tmp_path / "lock.json", hub)
    assert hub.downloads == 0
    with pytest.raises(HubError, match="downloaded"):  # what is cached already is not counted
        fetch(repo, tmp_path / "lock.json", SmallDisk(4 * 2**30, ("b.safetensors",)))
