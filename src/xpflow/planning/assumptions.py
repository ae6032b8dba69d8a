"""What a plan assumes because no configuration says it, and the GPUs it knows; every plan prints it all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from xpflow.errors import ConfigError, nearest
from xpflow.problems.benchmark import Benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.protocols.find import find_protocol

GB = 1e9


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU by its data sheet: dense rates in FLOP/s, bandwidth in byte/s, memory in bytes."""

    name: str
    bf16_flop_per_s: float
    fp32_flop_per_s: float
    bytes_per_s: float
    memory: float


# NVIDIA's data sheets: dense bf16 on the tensor cores, fp32 without TF32 (its default for matrix products).
GPUS: dict[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        Gpu("h200", 989e12, 67e12, 4.8e12, 141 * GB),
        Gpu("h100", 989e12, 67e12, 3.35e12, 80 * GB),
        Gpu("a100-80", 312e12, 19.5e12, 2.0e12, 80 * GB),
    )
}


@dataclass(frozen=True, slots=True)
class Machine:
    """A GPU as a plan uses it: sustained rates (FLOP/s, byte/s) and usable memory (bytes)."""

    name: str
    flop_per_s: float
    bytes_per_s: float
    usable: float


def find_gpu(name: str) -> Gpu:
    """Return a GPU by name; raises ConfigError with the nearest one."""
    key = {"a100": "a100-80"}.get(name.lower(), name.lower())
    if key not in GPUS:
        raise ConfigError(f"no such GPU: {name!r}", hint=nearest(key, GPUS))
    return GPUS[key]


@dataclass(frozen=True, slots=True)
class Prompt:
    """Prompt tokens of a benchmark: `mean` for time, `longest` for memory; problems of its splits."""

    mean: int
    longest: int
    problems: dict[str, int]


# Of a benchmark that is not known; of others the benchmark says its own.
UNKNOWN = Prompt(300, 1000, {"train": 500, "validation": 100, "test": 500})


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The numbers that a user may change; see `lines` for their meaning."""

    mfu: float = 0.5
    bandwidth_share: float = 0.7
    memory_share: float = 0.94
    reserve: float = 1.5e9
    program_s: float = 0.02
    kv_cache: bool = True
    early: float = (
        1.0  # forwards / N of decoders whose rows decide how many they take; 1: all that the budget lets them
    )
    prompt_tokens: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("mfu", "bandwidth_share", "memory_share", "early"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} is a fraction above 0 and at most 1, not {getattr(self, name)}")

    def prompt(self, benchmark: str, protocol: str) -> Prompt:
        """Return the prompt lengths of a benchmark under a protocol.

        A length that the user gave is the mean, half the longest. Tokenizers are part of the checkpoints,
        which a plan does without: lengths of published benchmarks are estimates, those of MicroPy measured.
        """
        known = UNKNOWN
        if benchmark in BENCHMARKS:
            found: Benchmark = BENCHMARKS[benchmark]
            mean, longest = found.prompts.mean, found.prompts.longest
            if found.prompts.zero_shot and find_protocol(protocol).zero_shot:
                mean, longest = found.prompts.zero_shot
            known = Prompt(mean, longest, dict(found.sizes))
        if (given := self.prompt_tokens.get(benchmark)) is None:
            return known
        return replace(known, mean=given, longest=max(2 * given, 1))

    def machine(self, gpu: Gpu, dtype: str) -> Machine:
        """Return the sustained rates and usable memory of a GPU."""
        rate = gpu.fp32_flop_per_s if dtype == "float32" else gpu.bf16_flop_per_s
        usable = self.memory_share * gpu.memory - self.reserve
        return Machine(gpu.name, self.mfu * rate, self.bandwidth_share * gpu.bytes_per_s, usable)

    def lines(self, asked: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Yield (what, value) of every assumption that matters to these pairs of benchmark and protocol."""
        yield "sustained arithmetic", f"{self.mfu:.0%} of the dense rate (--mfu)"
        yield "sustained bandwidth", f"{self.bandwidth_share:.0%} of the data sheet's (--bandwidth-share)"
        yield (
            "usable memory",
            f"{self.memory_share:.0%} of the GPU's, less {self.reserve / 1e9:g} GB for context and NCCL",
        )
        for where, prompt in self._prompts(asked).items():
            guess = "" if where.partition(",")[0] in BENCHMARKS else ", a guess: the benchmark is not known"
            what = f"{prompt.mean} tokens, longest {prompt.longest} (--prompt-tokens){guess}"
            yield f"prompt of {where}", what
        yield (
            "decoding",
            "every step of the budget runs: early stops (EOS, fixed points, thresholds) save time",
        )
        yield (
            "block-causal decoding",
            "keys and values of finished blocks are cached (--no-kv-cache: every step runs the whole window)"
            if self.kv_cache
            else "every step runs the whole window up to the block",
        )
        yield "several GPUs", "no time for communication; decoding shares out whole batches evenly"
        yield "one program's grading", f"{self.program_s:g} s of a worker; one that hangs takes its limit"

    def _prompts(self, asked: Iterable[tuple[str, str]]) -> dict[str, Prompt]:
        """Return the lengths by benchmark, or by benchmark and protocol where protocols differ."""
        found: dict[str, dict[str, Prompt]] = {}
        for benchmark, protocol in asked:
            found.setdefault(benchmark, {})[protocol] = self.prompt(benchmark, protocol)
        rows: dict[str, Prompt] = {}
        for benchmark, lengths in found.items():
            differ = len({(prompt.mean, prompt.longest) for prompt in lengths.values()}) > 1
            for protocol, prompt in lengths.items():
                rows[f"{benchmark}, {protocol}" if differ else benchmark] = prompt
        return rows


def parse_prompt_tokens(texts: list[str]) -> dict[str, int]:
    """Return {benchmark: tokens} of "humaneval=200" texts; raises ConfigError naming the bad one."""
    found: dict[str, int] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not value.isdecimal() or int(value) < 1:
            raise ConfigError(f"not a prompt length: {text!r}", hint="write BENCHMARK=TOKENS, as mbpp=700")
        if name not in BENCHMARKS:
            raise ConfigError(f"no such benchmark: {name!r}", hint=nearest(name, BENCHMARKS))
        found[name] = int(value)
    return found
