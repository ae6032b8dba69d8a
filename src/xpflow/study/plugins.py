"""What the stages of a study choose by name, as "kind:name": the code behind each counts as the stage's own.

Never less than what runs, and never more: tests/workflow/test_smoke.py holds it against the modules that the
stages really load.
"""

from __future__ import annotations

from xpflow.grading.jails import JAILS
from xpflow.microtext import ARCHITECTURE
from xpflow.models.registry import architecture_name
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.protocols import PROTOCOLS
from xpflow.study.config.root import StudyConfig
from xpflow.study.corpus import corpus_text
from xpflow.study.probes import ProbeJob, probe_arms
from xpflow.study.rows import Job, trace_row
from xpflow.study.text import text_run

Chosen = set[str]


def problems(study: StudyConfig, benchmark: str) -> Chosen:
    """Return the plug-ins behind a benchmark's problems: its own, and their shape."""
    return {f"benchmark:{study.benchmark_entry(benchmark)}", f"shape:{shape(study, benchmark)}"}


def shape(study: StudyConfig, benchmark: str) -> str:
    """Return the name of the shape of a benchmark's problems."""
    return BENCHMARKS[study.benchmark_entry(benchmark)].shape


def model(study: StudyConfig, name: str) -> Chosen:
    """Return the plug-in behind a model's weights; its architecture, where that is known."""
    found = architecture_name(study.model(name).directory or name)
    return {f"architecture:{found}"} if found else set()


def asking(study: StudyConfig, name: str, *benchmarks: str) -> Chosen:
    """Return the plug-ins that turn problems into a model's prompts: benchmarks, protocol, and shapes.

    Those that the protocol has a recipe for count too: the hash of its prompts is taken over all of them.
    """
    protocol = study.model(name).protocol
    found = {one for benchmark in benchmarks for one in problems(study, benchmark)}
    return {f"protocol:{protocol}", *(f"shape:{one}" for one in PROTOCOLS[protocol].recipes), *found}


def judging(study: StudyConfig, name: str, *benchmarks: str) -> Chosen:
    """Return the plug-ins that turn a model's answers into verdicts: rules that read them, and the jail."""
    protocol = PROTOCOLS[study.model(name).protocol]
    rules = {f"extraction:{protocol.extraction(shape(study, one))}" for one in benchmarks}
    return {*asking(study, name, *benchmarks), *rules, jail(study)}


def pretrain(study: StudyConfig, name: str) -> Chosen:
    """Return those of a pre-training, whose card has pass rates on validation problems."""
    block, protocol = study.pretrain, PROTOCOLS[next(iter(PROTOCOLS))]
    shapes = {*protocol.recipes, *(shape(study, one) for one in block.benchmarks)}
    return {
        *(f"objective:{block.objective}", f"decoder:{block.decoder}", f"protocol:{protocol.name}"),
        f"problem_world:{block.world}",
        *(f"benchmark:{one}" for one in block.benchmarks),
        *(f"shape:{one}" for one in shapes),
        *(f"extraction:{protocol.extraction(one)}" for one in shapes),
        *model(study, name),
        jail(study),
    }


def jail(study: StudyConfig) -> str:
    """Return the jail that programs run in; `auto` is the first of the table."""
    named = study.grading.jail
    return f"jail:{next(iter(JAILS)) if named == 'auto' else named}"


def selfdata(study: StudyConfig, name: str) -> Chosen:
    """Return those of a model's own answers."""
    block = study.selfdata
    read = problems(study, block.benchmark)
    return {f"decoder:{block.decoder}", *read, *asking(study, name), *model(study, name)}


def grade_answers(study: StudyConfig, name: str) -> Chosen:
    """Return those of the verdicts on a model's own answers; its tokenizer reads them.

    Prompts of one benchmark may have several shapes: the rules of all that the protocol knows count.
    """
    protocol = PROTOCOLS[study.model(name).protocol]
    rules = {f"extraction:{protocol.extraction(one)}" for one in protocol.recipes}
    return {*judging(study, name, study.selfdata.benchmark), *rules, *model(study, name)}


def train(study: StudyConfig, name: str, run: str) -> Chosen:
    """Return those of a training run."""
    return {f"objective:{study.run(run).objective}", *model(study, name)}


def solvable(study: StudyConfig, name: str) -> Chosen:
    """Return those of the filter for training problems."""
    block = study.solvable
    return {f"decoder:{block.decoder}", *judging(study, name, block.benchmark), *model(study, name)}


def grpo(study: StudyConfig) -> Chosen:
    """Return those of the policy's training, with the benchmarks that it is validated on."""
    block = study.grpo
    trained = judging(study, block.model, study.solvable.benchmark)
    found = {f"decoder:{block.decoder}", *trained, *model(study, block.model)}
    for benchmark in study.benchmark_names if block.validate_every else ():
        found |= problems(study, benchmark) | judging(study, block.model, benchmark)
    return found


def evaluate(study: StudyConfig, job: Job) -> Chosen:
    """Return those of a decoding job: its arms' decoders and no others."""
    decoders = {f"decoder:{study.arm(row.arm).decoder}" for row in job.rows}
    return {*decoders, *asking(study, job.model, job.benchmark), *model(study, job.model)}


def probe(study: StudyConfig, job: ProbeJob) -> Chosen:
    """Return those of a probing job: what it decodes with, and what turns answers into verdicts."""
    decoders = {f"decoder:{arm.decoder}" for arm, _ in probe_arms(study)}
    return {*decoders, *judging(study, job.model, job.benchmark), *model(study, job.model)}


def text(study: StudyConfig, world: str, run: str) -> Chosen:
    """Return those of a training on a world: its models' architecture and schedule too.

    What a run has learned is also measured under the schedule `constant`. The code of a world's other domains
    lies in the world's own file (`training.text_check` sees to that).
    """
    return {f"world:{world}", f"architecture:{ARCHITECTURE}", *_learning(study, world, run)}


def _learning(study: StudyConfig, world: str, run: str) -> Chosen:
    """Return the objective of a run of block `text`, its schedule, and that without a learned order."""
    chosen = text_run(study, run)
    schedules = {"constant", str(study.text.of(chosen, world).get("schedule", "constant"))}
    return {f"objective:{chosen.objective}", *(f"schedule:{one}" for one in schedules)}


def corpus_rows(study: StudyConfig, world: str, rows: str) -> Chosen:
    """Return those of packed rows: their corpus."""
    return {f"corpus:{corpus_text(study, world).part(rows).corpus}"}


def corpus_run(study: StudyConfig, world: str, run: str) -> Chosen:
    """Return those of a model of packed rows, in training and after it."""
    return {f"architecture:{corpus_text(study, world).architecture}", *_learning(study, world, run)}


def grade(study: StudyConfig, name: str, benchmark: str) -> Chosen:
    """Return those of grading a model's answers to a benchmark."""
    return judging(study, name, benchmark)


def trace(study: StudyConfig) -> Chosen:
    """Return those of the decoding that the picture shows."""
    row = trace_row(study)
    if row is None:
        return set()
    decoder = f"decoder:{study.arm(row.arm).decoder}"
    return {decoder, *asking(study, row.model, row.benchmark), *model(study, row.model)}


def prompts(study: StudyConfig) -> Chosen:
    """Return those of the page of first prompts."""
    names = study.model_names
    asked = {one for name in names for one in asking(study, name, *study.benchmark_names)}
    return {*asked, *(one for name in names for one in model(study, name))}  # for their tokenizers


def figures(study: StudyConfig) -> Chosen:
    """Return those of the figures: the picture of a decoding asks its model's tokenizer, too."""
    row = trace_row(study)
    return {*report(study), *(model(study, row.model) if row else ())}


def report(study: StudyConfig) -> Chosen:
    """Return those of tables and figures: what arms are called, what protocols are, what judges measure."""
    decoders = {f"decoder:{arm.decoder}" for arm in study.arms}
    protocols = {f"protocol:{entry.protocol}" for entry in study.models}
    judged = [problems(study, choice.name) for choice in study.problems.benchmarks]
    return set().union(decoders, protocols, *judged)


def page(study: StudyConfig) -> Chosen:
    """Return those of the report as a page: of its tables, its prompts and the decoding that it shows."""
    return {*figures(study), *prompts(study)}
