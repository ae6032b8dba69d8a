"""A new plug-in makes nothing stale, and a changed file exactly the rows that use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.code import PACKAGE, TABLES, code_fingerprint, covered, module_file, module_of
from xpflow.study.config import StudyConfig, load_study
from xpflow.study.rows import jobs_of, policy_seeds, trained_runs
from xpflow.study.stages import job_stage, stage_plugins

ROOT = Path(__file__).parents[3]
STUDY = load_study(ROOT / "config" / "micro.yaml")


def stages_of(study: StudyConfig) -> dict[str, dict[str, Any]]:
    """Return every stage of a study with a name of its own."""
    found = [
        *({"command": "problems", "benchmark": one, "split": "test"} for one in study.benchmark_names),
        {"command": "problems", "benchmark": study.solvable.benchmark, "split": "train"},
        *(
            {"command": command, "model": one}
            for command in ("selfdata", "grade-answers", "pretrain")
            for one in study.model_names
        ),
        *({"command": "train", "model": one, "run": run} for one, run, _ in trained_runs(study)),
        {"command": "solvable", "model": study.grpo.model},
        *({"command": "grpo", "seed": seed} for seed in policy_seeds(study)),
        *(job_stage(job) for job in jobs_of(study)),
        *(
            {"command": "grade", "model": model, "benchmark": benchmark}
            for model in study.model_names
            for benchmark in study.benchmark_names
        ),
        *({"command": command} for command in ("merge", "trace", "prompts", "tables", "figures", "report")),
    ]
    return {" ".join(str(value) for value in names.values()): names for names in found}


STAGES = stages_of(STUDY)
PLUGINS = {name: stage_plugins(STUDY, names) for name, names in STAGES.items()}


def fingerprints(package: Path) -> dict[str, str]:
    return {
        name: code_fingerprint(STAGES[name]["command"], plugins, package) for name, plugins in PLUGINS.items()
    }


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package's source."""
    left_out = shutil.ignore_patterns("shipped", "__pycache__")
    return Path(shutil.copytree(PACKAGE, tmp_path_factory.mktemp("copy") / "xpflow", ignore=left_out))


def file_of(module: str, package: Path) -> Path:
    found = module_file(module, package)
    assert found is not None
    return found


@contextmanager
def edited(file: Path, text: str) -> Iterator[None]:
    """Change a file of the copy for the time of a `with` block; one that is new goes away again."""
    before = file.read_text() if file.exists() else None
    file.write_text(text)
    try:
        yield
    finally:
        file.unlink() if before is None else file.write_text(before)


def changed(package: Path) -> set[str]:
    """Return the stages whose code counts as changed in the copy."""
    now = fingerprints(package)
    return {name for name, found in fingerprints(PACKAGE).items() if found != now[name]}


def test_a_copy_has_the_same_fingerprints(package: Path) -> None:
    assert fingerprints(package) == fingerprints(PACKAGE)


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_a_new_plug_in_and_its_line_make_nothing_stale(kind: str, package: Path) -> None:
    table = file_of(TABLES[kind], package)
    lines = table.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if '": "xpflow.' in line)
    lines.insert(first, f'        "brand-new": "{TABLES[kind]}.brand_new:X",\n')
    new = table.with_name("brand_new.py")
    with edited(table, "".join(lines)), edited(new, "from xpflow.errors import ConfigError as X\n"):
        assert changed(package) == set()
        chosen = code_fingerprint("merge", [f"{kind}:brand-new"], package)
    assert chosen != code_fingerprint("merge", [], package), "whoever chooses it is covered"


@pytest.mark.parametrize("plugin", sorted({one for plugins in PLUGINS.values() for one in plugins}))
def test_a_changed_plug_in_makes_stale_those_that_chose_it_and_no_others(plugin: str, package: Path) -> None:
    """Or that chose one which is built upon it."""
    module = module_of(plugin, package).name
    file = file_of(module, package)
    chose = {name for name, plugins in PLUGINS.items() if plugin in plugins}
    behind = {name for name in set().union(*PLUGINS.values()) if module in covered("merge", [name], package)}
    uses = {name for name, plugins in PLUGINS.items() if behind & set(plugins)}
    with edited(file, file.read_text() + "\nBRAND_NEW = 1\n"):
        assert chose <= changed(package) <= uses
    assert changed(package) == set()


def test_trainings_and_policies_do_not_depend_on_what_arms_decode_with() -> None:
    """The seam that cost most. A policy depends on the one decoder that its rollouts take it with."""
    rollouts = f"decoder:{STUDY.grpo.decoder}"
    others = {f"decoder:{arm.decoder}" for arm in STUDY.evaluation.arms} - {rollouts}
    others -= {f"decoder:{STUDY.selfdata.decoder}", f"decoder:{STUDY.solvable.decoder}"}
    assert others
    users = {name.split()[0] for name, plugins in PLUGINS.items() if others & set(plugins)}
    assert users == {"evaluate", "tables", "figures", "report"}
    trained = {one for name, plugins in PLUGINS.items() if name.startswith("train ") for one in plugins}
    assert {one.partition(":")[0] for one in trained} == {"architecture", "objective"}


def test_words_are_no_code(package: Path) -> None:
    file = file_of(module_of(f"decoder:{STUDY.grpo.decoder}", package).name, package)
    with edited(file, "# a remark\n" + file.read_text()):
        assert changed(package) == set()
