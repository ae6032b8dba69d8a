"""The command lines of a build, and what is recorded of it; engines are stand-ins that write a file."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from xpflow.cli import main
from xpflow.errors import ArtifactError, ConfigError
from xpflow.images import container_note, inside, package_digest, read_local, read_lock, source_digest
from xpflow.images.build import ENGINES, find_engine, plan_build
from xpflow.images.lock import INGREDIENTS, LOCK

ROOT = Path(__file__).parents[3]
APPTAINER = """#!/bin/sh
[ "$1" = --version ] && { echo "apptainer version 1.4.5"; exit; }
echo "$@" >> calls
for word; do case $word in *.sif) echo image > "$word";; esac; done
"""
DOCKER = """#!/bin/sh
case $1 in
    --version) echo "Docker version 28";;
    image) echo '[{"Id": "sha256:%s"}]';;
    info) exit 0;;
    *) echo "$@" >> calls;;
esac
""" % ("7" * 64)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository to build in, with the folder `bin` for stand-ins and nothing else on the PATH."""
    for name in ("containers", "src/xpflow", "bin"):
        (tmp_path / name).mkdir(parents=True)
    for path in (LOCK, *INGREDIENTS):
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / "src" / "xpflow" / "a.py").write_text("a = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def stand_in(root: Path, name: str, text: str) -> None:
    (root / "bin" / name).write_text(text)
    (root / "bin" / name).chmod(0o755)


def test_without_any_engine_the_error_lists_them(root: Path) -> None:
    with pytest.raises(ConfigError, match="apptainer, docker, podman"):
        find_engine()
    stand_in(root, "docker", "#!/bin/sh\nexit 1\n")
    with pytest.raises(ConfigError, match="no container engine"):
        find_engine()


@pytest.mark.parametrize("there", [["podman"], ["docker", "podman"], ["apptainer", "docker"]])
def test_the_first_engine_that_answers_is_taken(root: Path, there: list[str]) -> None:
    for name in there:
        stand_in(root, name, "#!/bin/sh\nexit 0\n")
    assert find_engine() == there[0]
    assert set(there) <= set(ENGINES)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_is_given_the_base_by_digest_and_torch_by_hash(root: Path, engine: str) -> None:
    bases = read_lock(root).bases
    for name in bases:
        words = plan_build(root, engine, name).command()
        assert f"BASE={bases[name].pinned}" in words
        assert ("TORCH_LOCK=torch-cpu.lock" in words) == (name == "cpu")
    assert any(re.fullmatch("TORCH_INDEX=https://.*/cpu", word) for word in words)


def test_a_folder_can_be_the_base_of_apptainer(root: Path) -> None:
    (root / "base").mkdir()
    words = plan_build(root, "apptainer", "base", "").command(["--fakeroot"])
    assert {"BOOTSTRAP=localimage", f"BASE={root / 'base'}", "TORCH_INDEX=", "--fakeroot"} <= set(words)
    assert words[-2:] == ["containers/xpflow.sif", "containers/xpflow.def"]


def test_apptainer_builds_a_file_whose_hash_is_recorded(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(root, "apptainer", APPTAINER)
    assert main(["image", "build", "--base", "cpu", "--", "--fakeroot"]) == 0
    local = read_local(root)
    assert local is not None
    assert local.digest == "sha256:" + hashlib.sha256(b"image\n").hexdigest()
    assert (local.size, local.base, local.engine) == (6, "cpu", "apptainer version 1.4.5")
    assert local.source == source_digest(root)
    assert local.digest in capsys.readouterr().out
    assert "--fakeroot" in (root / "calls").read_text()
    assert main(["image", "show"]) == 0


def test_docker_alone_records_the_id_of_its_image(root: Path) -> None:
    stand_in(root, "docker", DOCKER)
    assert main(["image", "build"]) == 0
    local = read_local(root)
    assert local is not None
    assert local.digest == "sha256:" + "7" * 64
    assert local.reference.startswith("image-store:xpflow:")
    assert main(["image", "show"]) == 2


def test_docker_beside_apptainer_ends_as_a_file_too(root: Path) -> None:
    stand_in(root, "docker", DOCKER)
    stand_in(root, "apptainer", APPTAINER)
    assert main(["image", "build", "--engine", "docker"]) == 0
    calls = (root / "calls").read_text().splitlines()
    assert [line.split()[0] for line in calls] == ["build", "save", "build"]
    assert "docker-archive:" in calls[-1]
    local = read_local(root)
    assert local is not None
    assert local.reference == "containers/xpflow.sif"


def test_a_build_that_fails_records_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in(root, "podman", '#!/bin/sh\n[ "$1" = info ]\n')
    assert main(["image", "build", "--engine", "podman"]) == 2
    assert "podman ended with status 1" in capsys.readouterr().err
    assert read_local(root) is None
    assert main(["image", "build", "--engine", "podmann"]) == 2
    assert "did you mean 'podman'" in capsys.readouterr().err


def test_outside_of_the_image_there_is_nothing_to_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "RECORD", Path("/nothing/here"))
    monkeypatch.setenv("XPFLOW_CONTAINER_DIGEST", "sha256:5")
    assert container_note() is None


def test_inside_the_note_has_digest_base_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "image.json").write_text('{"base": "b@sha256:1", "python": "3.11.2", "torch": "2.13.0+cpu"}')
    monkeypatch.setattr(inside, "RECORD", tmp_path / "image.json")
    monkeypatch.setenv("XPFLOW_CONTAINER_DIGEST", "sha256:5")
    assert container_note() == "sha256:5 (base b@sha256:1, Python 3.11.2, torch 2.13.0+cpu)"
    monkeypatch.delenv("XPFLOW_CONTAINER_DIGEST")
    assert "digest unknown" in str(container_note())


@pytest.fixture
def layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build folder whose locks ask for what is installed here."""
    (tmp_path / "package" / "src" / "xpflow").mkdir(parents=True)
    (tmp_path / "build.lock").write_text("setuptools==1 \\\n    --hash=sha256:5\n")
    (tmp_path / "requirements.lock").write_text("numpy==2 \\\n    --hash=sha256:5\n")
    found = {"torch": "2.13.0+cpu", "setuptools": "1", "numpy": "2"}
    monkeypatch.setattr(inside, "_version", lambda name: found.get(name, "none"))
    return tmp_path


def test_the_record_of_an_image_has_base_versions_and_sources(layers: Path) -> None:
    facts = inside.image_facts(layers, read_lock(ROOT), "b@sha256:1")
    assert (facts["base"], facts["torch"]) == ("b@sha256:1", "2.13.0+cpu")
    assert facts["source"] == package_digest(layers / "package" / "src" / "xpflow")


@pytest.mark.parametrize(
    ("lock", "text", "expected"),
    [
        ("requirements.lock", "numpy==3 \\\n", "requirements.lock asks for numpy 3, this image has 2"),
        ("build.lock", "pip==3 \\\n", "build.lock asks for pip 3, this image has none"),
    ],
)
def test_a_build_with_another_package_than_the_locked_one_stops(
    layers: Path, lock: str, text: str, expected: str
) -> None:
    (layers / lock).write_text(text)
    with pytest.raises(ArtifactError, match=expected):
        inside.image_facts(layers, read_lock(ROOT), "b")


def test_packages_that_a_lock_has_for_other_systems_are_not_missed(layers: Path) -> None:
    text = "numpy==2 ; sys_platform == 'linux' \\\n    --hash=sha256:5\n"
    (layers / "requirements.lock").write_text(f"colorama==1 ; sys_platform == 'win32' \\\n{text}")
    inside.image_facts(layers, read_lock(ROOT), "b")
    (layers / "requirements.lock").write_text(text.replace("==2 ", "==3 "))
    with pytest.raises(ArtifactError, match="numpy 3"):
        inside.image_facts(layers, read_lock(ROOT), "b")


def test_a_base_with_another_torch_stops_the_build(layers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "_version", lambda name: "2.12.0")
    with pytest.raises(ArtifactError, match=r"torch 2\.12\.0, images\.lock\.yaml asks for 2\.13\.0"):
        inside.image_facts(layers, read_lock(ROOT), "b")
