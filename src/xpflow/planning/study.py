"""The stages of a study that need the device, with the sizes of its models, and the disk that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from xpflow.decoding.decoders import DECODERS
from xpflow.decoding.entry import Decoder, DecodeSettings
from xpflow.decoding.registry import settings_from
from xpflow.planning.alignment import Alignment
from xpflow.planning.assumptions import Assumptions, Prompt
from xpflow.planning.corpora import corpus_bytes, corpus_stages
from xpflow.planning.probes import probe_stages
from xpflow.planning.sizes import ModelSizes, published, sizes_of
from xpflow.planning.stages import Aligning, Decoding, Rollouts, Stage, Workload
from xpflow.planning.texts import Texts, text_bytes, texts_of
from xpflow.planning.work import Decode
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.study.answers import graded_answers
from xpflow.study.config.base import budget_text, parse_budget
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import PROBES
from xpflow.study.probes import policy_trainings, trained_policies
from xpflow.study.rows import Row, expand, jobs_of, policy_seeds, trained_runs
from xpflow.study.settings import arm_settings
from xpflow.training.objectives import OBJECTIVES


class StudyPlan:
    """A study with the sizes of its models and the assumptions about it; `stages` in the order they run."""

    def __init__(self, config: StudyConfig, given: Assumptions) -> None:
        self.config, self.given = config, given
        self.models: dict[str, ModelSizes] = {choice.name: sizes_of(choice) for choice in config.models}

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Return every benchmark that prompts come from."""
        names = [*self.config.benchmark_names, *([self.config.selfdata.benchmark] if self.models else [])]
        if policy_seeds(self.config) or trained_policies(self.config):
            names.append(self.config.solvable.benchmark)
        return tuple(dict.fromkeys(names))

    @property
    def asked(self) -> tuple[tuple[str, str], ...]:
        """Return every pair of a benchmark and the protocol in which a model is asked its problems."""
        protocols = dict.fromkeys(choice.protocol for choice in self.config.models)
        asked = dict.fromkeys(self._entry(benchmark) for benchmark in self.benchmarks)
        return tuple((benchmark, protocol) for benchmark in asked for protocol in protocols)

    def prompt(self, benchmark: str, model: str) -> Prompt:
        """Return the prompt lengths of a benchmark in a model's protocol."""
        protocol = {choice.name: choice.protocol for choice in self.config.models}[model]
        return self.given.prompt(self._entry(benchmark), protocol)

    def _entry(self, benchmark: str) -> str:
        """Return the name whose prompt lengths are known: the user's, or that in the table of benchmarks."""
        known = self.given.prompt_tokens
        return benchmark if benchmark in known else self.config.benchmark_entry(benchmark)

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of a weight where models only run forward."""
        return 4 if self.config.runtime.dtype == "float32" else 2

    def stages(self) -> list[Stage]:
        """Return all stages that need the device."""
        decoded = [*self._selfdata(), *self._alignments(), *self._policies(), *self._evaluation()]
        probed = probe_stages(self.config, self._cell, self.problems)
        return [*decoded, *probed, *corpus_stages(self.config)]

    def texts(self) -> list[Texts]:
        """Return the runs of block `text`, which need no device."""
        return texts_of(self.config)

    def problems(self, benchmark: str, split: str, limit: int | None) -> int:
        """Return how many problems a split has, or the limit."""
        known = self.prompt(benchmark, self.config.model_names[0]).problems.get(split, limit or 500)
        return min(known, limit or known)

    def _selfdata(self) -> Iterator[Stage]:
        block, config = self.config.selfdata, self.config
        if block.answers == "reference":
            return  # no model decodes any
        seeds: dict[str, set[int]] = {}
        for model, _, seed in trained_runs(config):
            seeds.setdefault(model, set()).add(seed)
        for model, found in seeds.items():
            decode = self._decode(block.gen_length, block.budget)
            count = len(found) * (block.prompts + PROBES)
            prompt = self.prompt(block.benchmark, model)
            share = self._share(block.decoder, block.budget)
            work = Workload(model, self.models[model], decode, prompt, count, block.batch_size, share=share)
            steps = decode.steps(work.arch, prompt.mean)
            detail = f"{count:,} answers of {block.gen_length} tokens, {steps} steps"
            ways = len(found) * config.runtime.shards
            programs = block.prompts * sum(name == model for name, _ in graded_answers(config))
            yield Decoding(f"selfdata {model}", detail, [work], ways, ("selfdata.batch_size",), programs)

    def _alignments(self) -> Iterator[Stage]:
        config, block = self.config, self.config.training
        runs = [(model, variant) for model, variant, _ in trained_runs(config)]
        for model, variant in dict.fromkeys(runs):
            prompt = self.prompt(config.selfdata.benchmark, model)
            how = {choice.name: choice.training for choice in config.models}[model]
            run = config.run(variant)
            objective = OBJECTIVES[run.objective]
            alignment = Alignment(
                arch=self.models[model],
                settings=block.of(run, full=how == "full"),
                cost=objective.cost(objective.checked(run.settings, run.objective)),
                runtime=config.runtime,
                length=config.selfdata.gen_length,
                prompt=prompt.mean,
                longest=prompt.longest,
                watched=PROBES + config.selfdata.heldout,
                log_every=block.log_every,
            )
            yield Aligning(f"align {model} {variant}", alignment, runs.count((model, variant)))

    def _policies(self) -> Iterator[Stage]:
        """Yield the policy that arms ask, those that are trained for the probes, and what both learn from."""
        config, grpo, solvable = self.config, self.config.grpo, self.config.solvable
        seeds, probed = len(policy_seeds(config)), [budget for budget, _ in policy_trainings(config)]
        if not seeds and not probed:
            return
        arch, prompt = self.models[grpo.model], self.prompt(solvable.benchmark, grpo.model)
        count = self.problems(solvable.benchmark, "train", solvable.limit)
        decode = self._decode(solvable.gen_length, solvable.budget)
        work = Workload(grpo.model, arch, decode, prompt, count, solvable.batch_size)
        detail = f"{count} problems, {decode.steps(arch, prompt.mean)} steps"
        yield Decoding(f"solvable {grpo.model}", detail, [work], 1, ("solvable.batch_size",), count)
        if seeds:
            yield self._rollouts(f"policy {grpo.model}", grpo.train_budget, seeds)
        for folder in dict.fromkeys(probed):
            budget, runs = parse_budget(folder.replace("-", "/")), probed.count(folder)
            name = f"probe-policy {grpo.model} {budget_text(budget)}"
            yield self._rollouts(name, budget, runs, probed=True)

    def _rollouts(self, name: str, budget: Fraction, runs: int, *, probed: bool = False) -> Rollouts:
        grpo, solvable = self.config.grpo, self.config.solvable
        arch, prompt = self.models[grpo.model], self.prompt(solvable.benchmark, grpo.model)
        answers, every = grpo.prompts_per_update * grpo.group_size, grpo.validate_every
        rows = -(-answers // grpo.rollout_shards)
        decode = self._decode(solvable.gen_length, budget)
        return Rollouts(
            name=name,
            rollouts=Workload("rollouts", arch, decode, prompt, answers, rows, embeds=True),
            updates=grpo.updates,
            shards=min(grpo.rollout_shards, answers),
            runs=runs,
            hidden=grpo.hidden,
            warm_start=bool(grpo.warm_start),
            validations=list(self._validations()) if every else (),
            validation_runs=-(-grpo.updates // every) if every else 0,
            probed=probed,
        )

    def _validations(self) -> Iterator[Workload]:
        grpo, length = self.config.grpo, self.config.solvable.gen_length
        decode = self._decode(length, self.config.reporting.headline_budget)
        for benchmark in self.config.problems.benchmarks:
            count = self.problems(benchmark.name, "validation", grpo.validation_limit)
            prompt = self.prompt(benchmark.name, grpo.model)
            yield Workload("validation", self.models[grpo.model], decode, prompt, count, 32, embeds=True)

    def _evaluation(self) -> Iterator[Stage]:
        config, all_of_them = self.config, self.workloads()
        for model in config.model_names:
            for benchmark in config.problems.benchmarks:
                place = (model, benchmark.name)
                rows = [row for row in all_of_them if (row.model, row.benchmark) == place]
                found = [all_of_them[row] for row in rows for _ in range(row.samples)]
                if not found:
                    continue
                jobs = [job for job in jobs_of(config) if (job.model, job.benchmark) == place]
                ways = len(jobs) * min(config.runtime.shards, found[0].batches)
                length = max(one.decode.length for one in found)
                detail = f"{len(rows)} cells of {found[0].problems} problems x {length} tokens"
                programs = sum(one.problems for one in found)
                name = f"evaluate {model} {benchmark.name}"
                yield Decoding(name, detail, found, ways, ("evaluation.batch_size",), programs)

    def workloads(self) -> dict[Row, Workload]:
        """Return the work of every row of the evaluation; its name is model/benchmark/arm/budget/seed."""
        return {row: self._workload(row) for row in expand(self.config)}

    def _workload(self, row: Row) -> Workload:
        benchmark = {entry.name: entry for entry in self.config.problems.benchmarks}[row.benchmark]
        problems = self.problems(row.benchmark, benchmark.split, benchmark.limit)
        found = self._cell(self.config.arm(row.arm), row.model, row.benchmark, row.budget, problems)
        return replace(found, name=f"{found.name}/{row.seed}")

    def _cell(self, arm: Arm, model: str, benchmark: str, budget: Fraction, problems: int) -> Workload:
        """Return the work of an arm on so many problems of a benchmark."""
        decoder: Decoder = DECODERS[arm.decoder]
        settings = settings_from(arm.decoder, arm_settings(self.config, arm, model, benchmark, budget))
        return Workload(
            name=f"{model}/{benchmark}/{arm.name}/{budget_text(budget)}",
            arch=self.models[model],
            decode=self._decode(settings.gen_length, budget, settings),
            prompt=self.prompt(benchmark, model),
            problems=problems,
            batch_size=settings.batch_size,
            embeds=decoder.takes_policy,
            share=self._share(arm.decoder, budget),
        )

    def _share(self, decoder: str, budget: Fraction) -> float:
        """Return how many of the budget's steps a decoder is reckoned to take, as a share."""
        adaptive = DECODERS[decoder].nfe == "adaptive"
        return min(1.0, self.given.early / float(budget)) if adaptive else 1.0

    def _decode(self, length: int, budget: Fraction, settings: DecodeSettings | None = None) -> Decode:
        """Return how a row is decoded; `settings` of an arm, None: in one block, as in training stages."""
        block = settings.block_length or 0 if settings else 0
        cache = settings.kv_cache if settings else "auto"
        on_gpu = self.given.kv_cache and self.config.runtime.device != "cpu"
        kept = cache == "on" or (cache == "auto" and on_gpu)
        return Decode(length, budget, block, self.weight_bytes, kept)


SAMPLE_BYTES = 4_000  # one answer in samples.jsonl with its verdict: text and columns
ROW_BYTES = 12  # of one token id in the self-alignment data


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes on disk; `fetched` ones come over the network."""

    what: str
    size: float
    fetched: bool = False


def disk_space(study: StudyPlan) -> list[Space]:
    """Return every entry: downloads, checkpoints kept, training state, answers."""
    return [*_downloads(study), *_kept(study)]


def _downloads(study: StudyPlan) -> Iterator[Space]:
    for choice in study.config.models:
        if published(choice):
            size = 2.0 * study.models[choice.name].parameters
            local = choice.directory is not None
            what = "in its directory" if local else "fetched"
            yield Space(f"{choice.name}, bf16 weights, {what}", size, not local)
    for name in study.benchmarks:
        size = BENCHMARKS[name].download_bytes if name in BENCHMARKS else 0.0
        if size:
            yield Space(f"{name}, data", size, True)
    yield from (Space(*one) for one in corpus_bytes(study.config) if one[2])


def _kept(study: StudyPlan) -> Iterator[Space]:
    config = study.config
    runs = trained_runs(config)
    how = {choice.name: choice.training for choice in config.models}
    for model in dict.fromkeys(model for model, _, _ in runs):
        count = sum(run[0] == model for run in runs)
        size = float(study.weight_bytes * study.models[model].parameters * count)
        yield Space(f"{model}, {count} aligned checkpoints", size)
    states = [12.0 * study.models[model].parameters for model, _, _ in runs if how[model] == "full"]
    if states:
        yield Space("state of one alignment, while it runs (fp32 weights, Adam)", max(states))
    if config.text.pairs:
        yield Space("checkpoints of text runs, and one's state while it runs", text_bytes(config))
    yield from (Space(*one) for one in corpus_bytes(config) if not one[2])
    if not config.models:
        return
    tokens = len({(model, seed) for model, _, seed in runs}) * config.selfdata.prompts
    yield Space("self-alignment data", float(tokens * ROW_BYTES * (config.selfdata.gen_length + 200)))
    answers = sum(row.samples * one.problems for row, one in study.workloads().items())
    yield Space(f"{answers:,} answers and verdicts", float(answers * SAMPLE_BYTES))
