"""The tables of how noisy text is read: readers, accuracy against s, and claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpflow.reporting.estimates import claim_columns, points_text
from xpflow.reporting.markup import Column, Lines, Table
from xpflow.reporting.noisy_results import JudgedNoisy, Read, Shares
from xpflow.reporting.report_spec import ReportPlan, weights_label
from xpflow.reporting.tables import facts
from xpflow.stats.bootstrap import mean_interval
from xpflow.study.config import StudyConfig

READERS = (
    "one forward over an answer with a share of wrong tokens, means over problems [{confidence:g} % "
    "interval]. Fixed: percent of wrong tokens that are mended; kept: of right ones that stay; net: fixed "
    "less broken, per 100 tokens. Wrong tokens are any (uniform) or one of the nearest by the base "
    "embeddings (near)"
)
CONTEXT = "context: percent of masks read rightly, {masks:g} % masked and that share of the rest wrong"
IN_NOISE = (
    "percent of tokens read rightly, all seen as s e(v) + sqrt(s) noise, means over problems [{confidence:g} "
    "% interval]; weights without a converter of their own have a fresh one with codes of {width} numbers"
)
CLAIMS = (
    "a and b in percent (net: per 100 tokens), means over problems; a's lead in points, over b as often as "
    "the claim says, paired by problem [{confidence:g} % interval]"
)
WAYS = {"ids": "ids", "codes": "codes, s / s_max =", "evidence": "ids and own evidence, alpha ="}
InNoise = Mapping[tuple[str, str], Mapping[float, Shares]]
Facts = tuple[tuple[str, str], ...]


def noisy_tables(
    config: StudyConfig,
    plan: ReportPlan,
    reads: Sequence[Read],
    in_noise: InNoise,
    claims: Sequence[JudgedNoisy],
) -> list[Table]:
    """Return the tables of readers, of accuracy against s, and of the claims."""
    return [_readers(config, plan, reads), _in_noise(config, plan, in_noise), _claims(config, plan, claims)]


def chosen_text(read: Read) -> str:
    """Return how a reader reads, with the setting that each seed chose."""
    values = [f"{value:g}" for value in read.settings if value is not None]
    return " ".join((WAYS[read.reader.way], ", ".join(dict.fromkeys(values)))).strip()


def _readers(config: StudyConfig, plan: ReportPlan, reads: Sequence[Read]) -> Table:
    block, sections, records = config.probes.noisy, [], []
    for read in reads:
        rows = [_reader(config, plan, read, share) for share in block.shares]
        sections.append(tuple(row for row, _ in rows))
        records += [record for _, record in rows]
    columns = [Column("reader"), Column("where"), Column("read by"), Column("wrong", "", "r")]
    columns += [Column(name, kind, "r") for kind in block.kinds for name in ("fixed", "kept", "net")]
    told = READERS.format(confidence=100 * plan.confidence)
    told += "; " + CONTEXT.format(masks=100 * block.masks)
    return Table(
        label="noisy",
        title=f"How text with wrong tokens is read ({plan.study})",
        facts=_facts(config, plan, told),
        columns=(*columns, Column("context", "", "r")),
        sections=tuple(sections),
        notes=_notes(reads),
        records=tuple(records),
    )


def _reader(
    config: StudyConfig, plan: ReportPlan, read: Read, share: float
) -> tuple[tuple[Lines, ...], dict[str, Any]]:
    block = config.probes.noisy
    cells: list[Lines] = [
        (read.reader.name,),
        (read.benchmark,),
        (chosen_text(read),),
        (f"{100 * share:g} %",),
    ]
    record: dict[str, Any] = {
        "reader": read.reader.name,
        "place": read.reader.place,
        "benchmark": read.benchmark,
        "read_by": chosen_text(read),
        "wrong_percent": 100 * share,
    }
    for kind in block.kinds:
        for name in ("fixed", "kept", "net"):
            value = read.measure(name, kind, share)
            mean, low, high = _told(plan, value, wide=name == "net")
            cells.append((f"{mean:.1f}", f"[{low:.1f}, {high:.1f}]"))
            record |= {f"{kind}_{name}": mean, f"{kind}_{name}_low": low, f"{kind}_{name}_high": high}
            record["problems"] = len(value.tasks)
    if share in block.context:
        mean, low, high = _told(plan, read.measure("context", "uniform", share))
        record |= {"context": mean, "context_low": low, "context_high": high}
        return (*cells, (f"{mean:.1f}", f"[{low:.1f}, {high:.1f}]")), record
    return (*cells, ("",)), {**record, "context": None, "context_low": None, "context_high": None}


def _in_noise(config: StudyConfig, plan: ReportPlan, in_noise: InNoise) -> Table:
    block, rows, records = config.probes.noisy, [], []
    for (place, benchmark), found in in_noise.items():
        cells: list[Lines] = [(place,), (benchmark,)]
        for ratio, value in found.items():
            mean, low, high = _told(plan, value)
            cells.append((f"{mean:.1f}", f"[{low:.1f}, {high:.1f}]"))
            records.append(
                {
                    "place": place,
                    "benchmark": benchmark,
                    "ratio": ratio,
                    "read_percent": mean,
                    "low": low,
                    "high": high,
                    "problems": len(value.tasks),
                }
            )
        rows.append(tuple(cells))
    return Table(
        label="noisy_snr",
        title=f"Tokens read rightly in noise of every strength ({plan.study})",
        facts=_facts(config, plan, IN_NOISE.format(confidence=100 * plan.confidence, width=block.width)),
        columns=(
            Column("weights"),
            Column("where"),
            *(Column(f"{ratio:g}", "s / s_max", "r") for ratio in block.ratios),
        ),
        sections=(tuple(rows),),
        records=tuple(records),
    )


def _claims(config: StudyConfig, plan: ReportPlan, claims: Sequence[JudgedNoisy]) -> Table:
    rows = tuple(
        (
            (one.claim.text, one.claim.id),
            (one.benchmark,),
            (f"{100 * one.a:.1f}",),
            (f"{one.claim.times:g} × " * (one.claim.times != 1) + f"{100 * one.b:.1f}",),
            (points_text(one.difference), f"Holm p {one.holm_p:.2g}"),
            (one.judgement,),
        )
        for one in claims
    )
    told = CLAIMS.format(confidence=100 * plan.confidence)
    return Table(
        label="noisy_claims",
        title=f"Claims about how noisy text is read ({plan.study})",
        facts=(*_facts(config, plan, told), ("Correction", f"Holm, over {len(claims)} comparisons")),
        columns=claim_columns("a", "b", "a − b"),
        sections=(rows,),
        records=tuple(
            {
                "claim": one.claim.id,
                "text": one.claim.text,
                "measure": one.claim.measure,
                "benchmark": one.benchmark,
                "a_percent": 100 * one.a,
                "b_percent": 100 * one.b,
                "times": one.claim.times,
                "lead": 100 * one.difference.value,
                "low": 100 * one.difference.interval.low,
                "high": 100 * one.difference.interval.high,
                "p": one.difference.p_value,
                "holm_p": one.holm_p,
                "judgement": one.judgement,
            }
            for one in claims
        ),
    )


def _told(plan: ReportPlan, value: Shares, wide: bool = False) -> tuple[float, float, float]:
    """Return mean and interval in percent; `wide` values stand for -100 to 100."""
    found = mean_interval(
        value.values_SP.mean(axis=0).clip(0.0, 1.0),
        resamples=plan.resamples,
        seed=plan.bootstrap_seed,
        confidence=plan.confidence,
    )
    times, less = (200.0, 100.0) if wide else (100.0, 0.0)
    mean, low, high = (times * one - less for one in (value.mean, found.low, found.high))
    return mean, low, high


def _facts(config: StudyConfig, plan: ReportPlan, told: str) -> Facts:
    places = "; ".join(
        f"{one.name}: {one.model}, {weights_label(one.weights)} weights" for one in config.probes.places
    )
    return (*facts(plan, reading=False), ("Weights", places), ("Cells", told))


def _notes(reads: Sequence[Read]) -> tuple[str, ...]:
    """Return how every reader with a setting chose it."""
    return tuple(
        f"{read.reader.name}, {read.benchmark}: read by {chosen_text(read)}, the largest net gain on "
        f"validation problems of {', '.join(f'{one:g}' for one in read.reader.candidates)}."
        for read in reads
        if len(read.reader.candidates) > 1
    )
