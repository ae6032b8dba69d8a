"""What a benchmark is: a named source of problems that says about itself what others must know.

To add one: a file with a `Benchmark` in it, and its line in `xpflow.problems.benchmarks`; or no line at all,
where a study names the file (`./my_benchmark.py:BENCHMARK`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import sha256_file
from xpflow.errors import ConfigError, DataError, nearest
from xpflow.hub.repo import HubRepo
from xpflow.hub.tables import source_files
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.problem import Problem

# The values of a study's block `problems.sources`: settings of data that does not ship with the package.
Sources = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Data:
    """Where the data of a benchmark lies: a local file or Arrow folder, or a hub repository.

    Neither where it needs none.
    """

    file: Path | None = None
    repo: HubRepo | None = None


@dataclass(frozen=True, slots=True)
class PromptLengths:
    """Prompt tokens that a plan reckons with: `mean` for time, `longest` for memory.

    `zero_shot` are those under a protocol that shows no worked examples, where the others show some.
    """

    mean: int = 300
    longest: int = 1000
    zero_shot: tuple[int, int] | None = None


def as_loaded(problems: Sequence[Problem]) -> Sequence[Problem]:
    """Return problems as they are: `load` gave them their tests."""
    return problems


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named source of problems.

    Args:
        name: what studies and problem files call it.
        about: one line for `xpflow problems list`.
        shape: the name of its problems' shape (`xpflow.problems.shapes`).
        load: (data, split) -> problems in their fixed order.
        sizes: split -> number of problems; its keys are the splits that exist.
        default_split: the one that is meant where none is named.
        title: as tables print it; empty: the name.
        file: the setting of `problems.sources` that names a local file, which wins over the hub. A benchmark
            without a setting of its own takes `problems.sources.files.<name>`, if `takes_file`.
        hub: its repository; an empty revision means that the study has to name one.
        revision: the setting of `problems.sources` that names another revision.
        prompts, download_bytes: what a plan reckons with; bytes are an upper bound.
        tasks: how the names of its problems begin, whatever file they come from.
        tested: problems of it -> the same with all of their tests, where `load` leaves tests out because they
            take long to make. None: they are prompts only, and have no tests.
        seen_in: files, folders and packages that hold its tests: no image of a jail may have them.
        license, made: for the card of a data set (`xpflow problems dataset`): the hub's name of its licence,
            and how its problems were made, with seeds.
    """

    name: str
    about: str
    shape: str
    load: Callable[[Data, str], Sequence[Problem]]
    sizes: Mapping[str, int]
    default_split: str = "test"
    title: str = ""
    file: str = ""
    takes_file: bool = False
    hub: HubRepo | None = None
    revision: str = ""
    prompts: PromptLengths = field(default=PromptLengths())
    download_bytes: float = 0.0
    tasks: str = ""
    tested: Callable[[Sequence[Problem]], Sequence[Problem]] | None = as_loaded
    seen_in: frozenset[str] = frozenset()
    license: str = ""
    made: str = ""

    @property
    def splits(self) -> tuple[str, ...]:
        """Return the names of the splits, in order."""
        return tuple(self.sizes)

    @property
    def file_setting(self) -> str:
        """Return the key of `problems.sources` that names its local file; empty where it takes none."""
        return self.file or (f"files.{self.name}" if self.takes_file else "")

    def local_file(self, sources: Sources) -> Path | None:
        """Return the local data file that a study names for it."""
        named = sources.get(self.file) if self.file else None
        value = named or (sources.get("files") or {}).get(self.name)
        return Path(value) if value else None

    def with_file(self, file: str | Path) -> Sources:
        """Return the sources of a study that names nothing but this benchmark's local file.

        Raises:
            DataError: it takes no file.
        """
        if not self.file_setting:
            raise DataError(f"{self.name} takes no data file", hint="leave out --file")
        return {self.file: file} if self.file else {"files": {self.name: file}}

    def repo(self, sources: Sources) -> HubRepo | None:
        """Return the repository that its data comes from; None for a local file and for data that ships.

        Raises:
            ConfigError: the study must name a revision and does not.
        """
        if self.hub is None or self.local_file(sources) is not None:
            return None
        revision = sources.get(self.revision) or self.hub.revision
        if not (revision or self.revision):
            raise ConfigError(
                f"{self.hub.hub_id}: we know no commit of it that could be pinned",
                hint=f"name a local file of it in problems.sources.{self.file_setting}",
            )
        if not revision:
            raise ConfigError(
                f"problems.sources.{self.revision} is missing: {self.hub.hub_id} has no default revision",
                hint=f"name a commit hash of the data set, or a local file in problems.sources.{self.file}",
            )
        return self.hub.at(revision)

    def data(self, sources: Sources) -> Data:
        """Return where a study's data of this benchmark lies; a local file is announced with its hash.

        Raises:
            DataError: the local file does not exist.
            ConfigError: see `repo`.
        """
        file = self.local_file(sources)
        if file is not None:
            announce_file(file, f"problems.sources.{self.file_setting}")
        return Data(file, self.repo(sources))


def load_benchmark(
    name: str, split: str | None = None, limit: int | None = None, sources: Sources | None = None
) -> list[Problem]:
    """Return the problems of one split of a benchmark in their fixed order, the first `limit` of them.

    `sources` are the values of a study's `problems.sources`; None: everything at its pinned revision.

    Raises:
        DataError: no such benchmark or split, or its data cannot be read.
        ConfigError, HubError: the data was not named, or not fetched.
    """
    benchmark = BENCHMARKS[name]
    wanted = split or benchmark.default_split
    if wanted not in benchmark.splits:
        raise DataError(f"benchmark {name!r} has no split {wanted!r}", hint=nearest(wanted, benchmark.splits))
    if limit is not None and limit < 0:
        raise DataError(f"limit must not be negative, found {limit}")
    return list(benchmark.load(benchmark.data(sources or {}), wanted))[:limit]


def benchmark_shape(name: str) -> str | None:
    """Return the name of the shape of a benchmark's problems; None where there is no such benchmark."""
    return BENCHMARKS[name].shape if name in BENCHMARKS else None


def require_size(problems: Sequence[Problem], size: int, where: str, hint: str = "") -> list[Problem]:
    """Return the problems; raises DataError where they are not as many as the data promises."""
    if len(problems) != size:
        raise DataError(f"{where}: expected {size} problems, found {len(problems)}", hint=hint)
    return list(problems)


def announce_file(path: Path, setting: str) -> None:
    """Print the SHA-256 of local data (of each file of a folder) on stderr: a run's log says what it read.

    Raises:
        DataError: there is no such file or folder; names the setting it came from.
    """
    if not path.exists():
        raise DataError(
            f"{setting}: no such file: {path}", hint="paths are relative to the working directory"
        )
    for file in source_files(path):
        print(f"{setting}: {file} sha256 {sha256_file(file)}", file=sys.stderr)
