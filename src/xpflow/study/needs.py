"""What a study needs of the model hub."""

from __future__ import annotations

from xpflow.hub.repo import HubRepo
from xpflow.models.registry import hub_model, model_entry
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.study.config.root import StudyConfig
from xpflow.study.corpus import repos_of_corpora


def repo_of_model(study: StudyConfig, name: str) -> HubRepo | None:
    """Return where a model's base weights come from; None for shipped models and directories."""
    directories = {choice.name: choice.directory for choice in study.models}
    return None if directories.get(name) else hub_model(name)


def repos_of_model(study: StudyConfig, name: str) -> list[HubRepo]:
    """Return where a model's base weights come from, and its tokenizer if it was published elsewhere."""
    weights, entry = repo_of_model(study, name), model_entry(name)
    tokenizer = entry.tokenizer if weights and entry else None
    return [repo for repo in (weights, tokenizer) if repo is not None]


def repo_of_benchmark(study: StudyConfig, name: str) -> HubRepo | None:
    """Return where a benchmark's data comes from; None for local files and data that ships.

    Raises ConfigError where the study must name a revision and does not.
    """
    return BENCHMARKS[study.benchmark_entry(name)].repo(study.problems.sources.model_dump())


def repos_of(study: StudyConfig) -> list[HubRepo]:
    """Return every repository that a study needs: models, data sets, then what corpora need, each once."""
    names = (*study.benchmark_names, study.selfdata.benchmark, study.solvable.benchmark)
    found: list[HubRepo | None] = [repo for name in study.model_names for repo in repos_of_model(study, name)]
    found += [repo_of_benchmark(study, name) for name in names]
    found += repos_of_corpora(study)
    return list({repo.name: repo for repo in found if repo is not None}.values())
