"""Which image the rules take, when it is refused, and what its jobs are told."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import yaml

from xpflow.errors import ArtifactError, ConfigError
from xpflow.images import LocalImage, choose_container, read_local, read_lock, source_digest, write_local
from xpflow.images import use as use_module
from xpflow.images.lock import INGREDIENTS

ROOT = Path(__file__).parents[3]
DIGEST = f"sha256:{hashlib.sha256(b'image').hexdigest()}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository without an image."""
    (tmp_path / "containers").mkdir()
    (tmp_path / "src" / "xpflow").mkdir(parents=True)
    (tmp_path / "src" / "xpflow" / "a.py").write_text("a = 1\n")
    for path in INGREDIENTS:
        shutil.copy(ROOT / path, tmp_path / path)
    lock = (ROOT / "containers" / "images.lock.yaml").read_text()
    (tmp_path / "containers" / "images.lock.yaml").write_text(lock)
    return tmp_path


@pytest.fixture
def built(root: Path) -> Path:
    """A repository with an image."""
    (root / "containers" / "xpflow.sif").write_bytes(b"image")
    source = source_digest(root)
    image = LocalImage(
        reference="containers/xpflow.sif", digest=DIGEST, size=5, source=source, base="cpu", engine="test"
    )
    write_local(root, image)
    return root


def chosen(root: Path, **variables: str) -> tuple[str, dict[str, str]]:
    environment = dict(variables)
    return choose_container(root, used=True, binds=["/models"], environment=environment), environment


def test_without_the_flag_an_image_is_named_and_nothing_is_looked_at_or_set(root: Path) -> None:
    environment: dict[str, str] = {}
    (root / "src" / "xpflow" / "a.py").unlink()
    assert choose_container(root, used=False, environment=environment).endswith("containers/xpflow.sif")
    assert environment == {}


def test_with_the_flag_and_no_image_the_error_says_make_image(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"no container image .*xpflow\.sif") as caught:
        chosen(root)
    assert "make image" in str(caught.value)


def test_an_image_that_fits_is_named_from_the_working_directory(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built)
    assert chosen(built)[0] == "containers/xpflow.sif"
    (built / "elsewhere").mkdir()
    monkeypatch.chdir(built / "elsewhere")
    assert chosen(built)[0] == "../containers/xpflow.sif"


def test_jobs_have_the_digest_no_network_no_home_and_the_models(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        use_module.shutil, "which", lambda name: f"/bin/{name}" if name == "apptainer" else None
    )
    _, environment = chosen(built, APPTAINER_BIND="/data")
    assert environment == {
        "APPTAINERENV_XPFLOW_CONTAINER_DIGEST": DIGEST,
        "APPTAINER_CONTAINALL": "true",
        "APPTAINER_NET": "true",
        "APPTAINER_NETWORK": "none",
        "APPTAINER_BIND": "/data,/dev/full,/models",
    }


def test_what_the_user_has_set_stays_and_a_second_look_changes_nothing(built: Path) -> None:
    _, environment = chosen(built, APPTAINER_NETWORK="bridge")
    assert environment["APPTAINER_NETWORK"] == "bridge"
    before = dict(environment)
    choose_container(built, used=True, binds=["/models"], environment=environment)
    assert environment == before


def test_singularity_has_its_own_prefix_and_a_gpu_is_passed_on(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ("singularity", "nvidia-smi")
    monkeypatch.setattr(use_module.shutil, "which", lambda name: name if name in there else None)
    _, environment = chosen(built)
    assert environment["SINGULARITY_NV"] == "true"
    assert environment["SINGULARITYENV_XPFLOW_CONTAINER_DIGEST"] == DIGEST


def test_an_image_of_other_sources_is_refused_unless_the_checkout_s_are_asked_for(built: Path) -> None:
    (built / "src" / "xpflow" / "a.py").write_text("a = 2\n")
    with pytest.raises(ConfigError, match="another src/xpflow") as caught:
        chosen(built)
    assert "make image" in str(caught.value)
    assert "XPFLOW_IMAGE_SOURCE=checkout" in str(caught.value)
    _, environment = chosen(built, XPFLOW_IMAGE_SOURCE="checkout")
    source = str(built / "src")
    assert environment["APPTAINERENV_PYTHONPATH"] == source
    assert f"{source}:{source}:ro" in environment["APPTAINER_BIND"]
    assert environment["APPTAINERENV_XPFLOW_CONTAINER_DIGEST"].startswith(
        f"{DIGEST} with the sources of the checkout"
    )


@pytest.mark.parametrize("path", INGREDIENTS, ids=str)
def test_an_image_of_other_locks_is_refused(built: Path, path: Path) -> None:
    (built / path).write_text("numpy==1\n")
    with pytest.raises(ConfigError, match="other locks"):
        chosen(built)


def test_another_file_or_none_under_the_recorded_name_is_refused(built: Path) -> None:
    (built / "containers" / "xpflow.sif").write_bytes(b"another image")
    with pytest.raises(ConfigError, match="size differs"):
        chosen(built)
    (built / "containers" / "xpflow.sif").unlink()
    with pytest.raises(ConfigError, match="no container image"):
        chosen(built)


def test_another_image_of_the_same_size_is_refused(built: Path) -> None:
    (built / "containers" / "xpflow.sif").write_bytes(b"other")
    with pytest.raises(ConfigError, match="its content differs"):
        chosen(built)


def test_an_image_whose_path_snakemake_would_not_quote_is_refused(built: Path) -> None:
    local = read_local(built)
    assert local is not None
    for name in ("my image.sif", "it's.sif", "$(id).sif"):
        (built / "containers" / name).write_bytes(b"image")
        write_local(built, local.model_copy(update={"reference": f"containers/{name}"}))
        with pytest.raises(ConfigError, match="means something to a shell"):
            chosen(built)
        environment: dict[str, str] = {}
        assert choose_container(built, used=False, environment=environment).endswith(name)  # only named


@pytest.mark.parametrize("name", ["a,b", "a:b"])
def test_a_folder_that_apptainer_would_part_is_refused(built: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="at commas and colons"):
        choose_container(built, used=True, binds=[str(tmp_path / name)], environment={})
    with pytest.raises(ConfigError, match="at commas and colons"):
        choose_container(built, used=True, hub=True, environment={"HF_HOME": str(tmp_path / name)})


def test_a_shared_cache_that_cannot_be_is_named(built: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, why in ((str(tmp_path / "file" / "cache"), "XPFLOW_CACHE"), ("~nobody-here/x", "set HOME")):
        with pytest.raises(ArtifactError, match=why):
            choose_container(built, used=True, environment={"XPFLOW_CACHE": place})


def test_a_published_image_without_a_digest_is_refused(root: Path) -> None:
    lock = yaml.safe_load((root / "containers" / "images.lock.yaml").read_text())
    lock["image"] = {"reference": "docker://registry.example/xpflow", "digest": None}
    (root / "containers" / "images.lock.yaml").write_text(yaml.safe_dump(lock))
    with pytest.raises(ConfigError, match="has no digest"):
        chosen(root)


def test_a_published_image_is_pulled_by_digest(root: Path) -> None:
    lock = yaml.safe_load((root / "containers" / "images.lock.yaml").read_text())
    lock["image"] = {"reference": "docker://registry.example/xpflow", "digest": DIGEST}
    (root / "containers" / "images.lock.yaml").write_text(yaml.safe_dump(lock))
    image, environment = chosen(root)
    assert image == f"docker://registry.example/xpflow@{DIGEST}"
    assert environment["APPTAINERENV_XPFLOW_CONTAINER_DIGEST"] == DIGEST


def test_an_image_that_only_docker_has_is_refused(root: Path) -> None:
    image = LocalImage(
        reference="image-store:xpflow:1", digest=DIGEST, source=DIGEST, base="cpu", engine="Docker 1"
    )
    write_local(root, image)
    with pytest.raises(ConfigError, match="no file"):
        chosen(root)


def test_records_are_read_as_written_and_a_broken_one_is_named(built: Path) -> None:
    local = read_local(built)
    assert local is not None
    assert local.digest == DIGEST
    (built / "containers" / "images.local.yaml").write_text("digest: 5\n")
    with pytest.raises(ConfigError, match=r"images\.local\.yaml"):
        read_local(built)
    with pytest.raises(ConfigError, match=r"images\.lock\.yaml"):
        read_lock(built / "nowhere")


def test_the_digest_of_the_sources_sees_names_and_contents_only(root: Path) -> None:
    package = root / "src" / "xpflow"
    before = source_digest(root)
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "a.pyc").write_bytes(b"1")
    (package / "a.py").touch()
    assert source_digest(root) == before
    (package / "a.py").rename(package / "b.py")
    assert source_digest(root) != before


@pytest.mark.parametrize("name", ["HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"])
def test_the_model_hub_s_cache_is_where_huggingface_hub_has_it(
    built: Path, name: str, tmp_path: Path
) -> None:
    below = {"HF_HUB_CACHE": "", "HF_HOME": "hub", "XDG_CACHE_HOME": "huggingface/hub"}[name]
    environment = {name: str(tmp_path / "here")}
    choose_container(built, used=True, hub=True, environment=environment)
    cache = str(tmp_path / "here" / below)
    assert environment["APPTAINERENV_HF_HUB_CACHE"] == cache
    assert environment["APPTAINER_BIND"].split(",")[-1] == cache
    assert Path(cache).is_dir()
