"""The audit of a study's folders: what to compare them with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from xpflow.artifacts.audit import Finding, Fingerprint, Scene, audit
from xpflow.artifacts.canonical import canonical
from xpflow.artifacts.left_out import NOTE, absent
from xpflow.artifacts.places import relative
from xpflow.errors import ArtifactError, XpflowError
from xpflow.study.config import StudyConfig, load_study
from xpflow.study.config.render import render_plain
from xpflow.study.layout import STUDY_FILE, Layout
from xpflow.study.stages import expected_files, stage_fingerprint


@dataclass(frozen=True, slots=True)
class Audited:
    """What was audited: the study (None where its file cannot be read) and the findings."""

    study: StudyConfig | None
    findings: tuple[Finding, ...]


def audit_study(results: Path, root: Path) -> Audited:
    """Audit results/<study> and paper_figures/<study>, or only a folder below results/<study>.

    Args:
        results: the folder. root: the folder that the study ran in; paths in manifests are relative to it.
    Raises:
        ArtifactError: there is no such folder.
    """
    if not results.is_dir():
        raise ArtifactError(f"no such folder: {results}", hint="name a study's folder, results/<study>")
    top = study_folder(results)
    place = relative(top, root)
    study, unreadable = _study(top, place)
    folders, expected = [results], list[str]()
    if top == results:
        layout = Layout.of(results.name, root)
        folders += [layout.figures] if layout.figures.is_dir() else []
        files = [] if study is None else expected_files(study, layout)
        expected = [relative(file, root) for file in files]
    note = f"{place}/{NOTE}"
    left, more = _left_out(top, root, note)
    scene = Scene(root, fingerprints_of(study, root), expected, left, note, partial(_settled, root))
    return Audited(study, (*audit(folders, scene), *unreadable, *more))


def study_folder(path: Path) -> Path:
    """Return results/<study> for a folder in it; the folder itself where no study is above it."""
    return next((one for one in (path, *path.parents) if (one / STUDY_FILE).is_file()), path)


def fingerprints_of(study: StudyConfig | None, root: Path) -> Fingerprint:
    """Return the function from a stage to its fingerprint; many manifests hold the same stage.

    A fingerprint covers the content of base weights. Where those of a model's `directory` are not there, as
    beside an unpacked archive, the stages of that model are not compared: the inputs name the files by hash.
    """
    found: dict[bytes, str | None] = {}

    def fingerprint(stage: Mapping[str, object]) -> str | None:
        key = canonical(stage)
        if study is not None and key not in found:
            try:
                with chdir(root):  # paths in a study are relative to where it ran
                    found[key] = stage_fingerprint(study, stage) if _comparable(study, stage) else None
            except Exception:  # a stage that the study has not: whatever made it, these settings did not
                found[key] = ""
        return found.get(key)

    return fingerprint


def _comparable(study: StudyConfig, stage: Mapping[str, object]) -> bool:
    away = {one.name for one in study.models if one.directory and not Path(one.directory).is_dir()}
    return stage["model"] not in away if "model" in stage else not away


def _settled(root: Path, path: str) -> str | None:
    """Return the SHA-256 of the study that a file gives now, as `xpflow config show` would write it; none
    where it gives no study any more, None where the file is not there."""
    if not (root / path).is_file():
        return None
    try:
        return hashlib.sha256(render_plain(load_study(root / path)).encode()).hexdigest()
    except Exception:  # it is no study, or what it extends is gone
        return ""


def _left_out(top: Path, root: Path, note: str) -> tuple[dict[str, str], list[Finding]]:
    """Return path and SHA-256 of what a pack left behind, and what is wrong with the note that lists it."""
    try:
        return absent(top, root), []
    except ArtifactError as error:
        return {}, [Finding(note, "inconsistent", error.message)]


def _study(top: Path, place: str) -> tuple[StudyConfig | None, list[Finding]]:
    try:
        return load_study(top / STUDY_FILE), []
    except Exception as error:  # whatever was done to the file, the audit goes on without it
        said = error.message if isinstance(error, XpflowError) else f"{type(error).__name__}: {error}"
        why = f"the study's configuration cannot be read ({said}): settings were not compared"
        return None, [Finding(f"{place}/{STUDY_FILE}", "missing", why)]
