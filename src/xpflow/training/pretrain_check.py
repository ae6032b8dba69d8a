"""What a pre-training asks for at its end, asked before it begins: hours lie between the two."""

from __future__ import annotations

from xpflow.decoding import settings_from
from xpflow.errors import ConfigError
from xpflow.grading.jails.choose import choose_jail
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.shapes import SHAPES
from xpflow.problems.worlds import PROBLEM_WORLDS
from xpflow.study.check import told
from xpflow.study.config.root import StudyConfig
from xpflow.training.objective import make_loss

VALIDATION = "validation"  # the split that a model's card has pass rates of


def check_pretrain(config: StudyConfig, source: str, at_work: bool = False) -> None:
    """Raise ConfigError that names what of block `pretrain` could not be used.

    Args:
        at_work: read the card's problems, and ask the jail if they are programs.
    """
    block, shapes = config.pretrain, set[str]()
    with told(f"{source}: pretrain.objective"):
        make_loss(block.objective)
    with told(f"{source}: pretrain.world"):
        PROBLEM_WORLDS.place(block.world)
    with told(f"{source}: pretrain.decoder"):
        settings_from(block.decoder, {"gen_length": block.response_length, "suppress": "special"})
    for name in block.benchmarks:
        with told(f"{source}: pretrain.benchmarks[{name}]"):
            benchmark = BENCHMARKS[name]
            if VALIDATION not in benchmark.splits:
                raise ConfigError(f"{name} has no split {VALIDATION!r}", hint="name another")
            shapes.add(benchmark.shape)
            if at_work:
                load_benchmark(name, VALIDATION)
    if at_work and any(SHAPES[shape].judge is None for shape in shapes):
        with told(f"{source}: grading.jail"):
            choose_jail(config.grading.jail)
