"""What a study needs of the model hub."""

from __future__ import annotations

from xpflow.hub.repo import HubRepo
from xpflow.models.registry import hub_model
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.study.config.root import StudyConfig


def repo_of_model(study: StudyConfig, name: str) -> HubRepo | None:
    """Return where a model's base weights come from; None for shipped models and directories."""
    directories = {choice.name: choice.directory for choice in study.models}
    return None if directories.get(name) else hub_model(name)


def repo_of_benchmark(study: StudyConfig, name: str) -> HubRepo | None:
    """Return where a benchmark's data comes from; None for local files and data that ships.

    Raises ConfigError where the study must name a revision and does not.
    """
    return BENCHMARKS[study.benchmark_entry(name)].repo(study.problems.sources.model_dump())


def repos_of(study: StudyConfig) -> list[HubRepo]:
    """Return every repository that a study needs: models, then data sets, each once."""
    names = (*study.benchmark_names, study.selfdata.benchmark, study.solvable.benchmark)
    found = [repo_of_model(study, name) for name in study.model_names]
    found += [repo_of_benchmark(study, name) for name in names]
    return list({repo.name: repo for repo in found if repo is not None}.values())
