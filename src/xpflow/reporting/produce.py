"""All tables, and all figures, of one study: from its configuration and its folder of results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from xpflow.artifacts.io import atomic_write_text
from xpflow.errors import ArtifactError, ConfigError, nearest
from xpflow.reporting.alignment_table import alignment_table, full_budget_rows, read_alignment
from xpflow.reporting.claims import claims_markdown, claims_record, judge_claims
from xpflow.reporting.contrast_table import contrasts_table
from xpflow.reporting.contrasts import evaluate_contrasts
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.results import Outcomes, load_results
from xpflow.reporting.tables import table1, table2, write_table
from xpflow.study.config import StudyConfig
from xpflow.study.rows import policy_seeds

FIGURES = ("alignment", "sweep", "grpo", "trace")


def produce_tables(config: StudyConfig, results: Path, out: Path) -> list[Path]:
    """Write Tables 1 and 2, the contrasts, the alignment table and the claims of a study; returns the paths.

    `results` is results/<study>, `out` paper_figures/<study>. An incomplete study is an error that names the
    first missing file.
    """
    plan = plan_from_config(config)
    outcomes = Outcomes(load_results(results, plan.rows, plan.protocols))
    contrasts = evaluate_contrasts(plan, outcomes)
    claims = judge_claims(plan, outcomes, contrasts)
    tables = [
        table1(plan, outcomes),
        table2(plan, outcomes),
        contrasts_table(plan, contrasts),
        alignment_table(plan, _alignment_log(config, results)),
    ]
    paths = [path for table in tables for path in write_table(table, out)]
    atomic_write_text(out / "claims.md", claims_markdown(plan, claims))
    atomic_write_text(out / "claims.json", json.dumps(claims_record(claims), indent=1, sort_keys=True) + "\n")
    return [*paths, out / "claims.md", out / "claims.json"]


def produce_figures(
    config: StudyConfig, results: Path, out: Path, only: Iterable[str] = (), trace: Path | None = None
) -> list[Path]:
    """Draw the figures of a study; returns the paths.

    `only` names some of FIGURES; without it all are drawn that the study has inputs for (a policy of its own
    for `grpo`, the file `trace` for `trace`).
    """
    wanted = list(only) or [name for name in FIGURES if _planned(config, name, trace)]
    for name in wanted:
        if name not in FIGURES:
            raise ConfigError(f"no figure is called {name!r}", hint=nearest(name, FIGURES))
    paths: list[Path] = []
    for name in wanted:
        if name == "alignment":
            paths += _alignment(config, results, out)
        elif name == "sweep":
            paths += _sweep(config, results, out)
        elif name == "grpo":
            paths += _grpo(config, results, out)
        else:
            paths += _trace(config, trace, out)
    return paths


def _planned(config: StudyConfig, name: str, trace: Path | None) -> bool:
    return {"grpo": bool(policy_seeds(config)), "trace": trace is not None}.get(name, True)


def _alignment(config: StudyConfig, results: Path, out: Path) -> list[Path]:
    from xpflow.reporting.plots.alignment import figure_2a, figure_2b

    log, formats = _alignment_log(config, results), config.reporting.figure_formats
    return [*figure_2a(log, out, formats), *figure_2b(log, out, formats)]


def _alignment_log(config: StudyConfig, results: Path) -> pd.DataFrame:
    """Return the alignment logs; a pass rate that they lack comes from the evaluation, before and after."""
    log, plan = read_alignment(config, results), plan_from_config(config)
    masked = {arm.name for arm in plan.arms if arm.decoder == "mask_prediction"}
    full = [row for row in plan.rows if row.arm in masked and row.budget == 1]
    if "pass_full" in log or not full:
        return log
    rows = full_budget_rows(plan, Outcomes(load_results(results, full, plan.protocols)), log)
    return log.merge(rows, how="left", on=["model", "variant", "seed", "update"])


def _sweep(config: StudyConfig, results: Path, out: Path) -> list[Path]:
    from xpflow.reporting.plots.sweep import figure_sweep, sweep_points

    plan, formats = plan_from_config(config), config.reporting.figure_formats
    points = sweep_points(plan, Outcomes(load_results(results, plan.rows, plan.protocols)))
    by_budget = figure_sweep(plan, points, "budget", out, formats)
    return [*by_budget, *figure_sweep(plan, points, "nfe", out, formats)]


def _grpo(config: StudyConfig, results: Path, out: Path) -> list[Path]:
    from xpflow.reporting.plots.grpo import figure_grpo, read_grpo

    seeds = policy_seeds(config)
    if not seeds:
        raise ConfigError("the study trains no policy of its own: there is no learning curve to draw")
    logs = {seed: results / "policy" / f"seed{seed}" / "log.jsonl" for seed in seeds}
    return figure_grpo(read_grpo(logs), out, config.reporting.figure_formats)


def _trace(config: StudyConfig, trace: Path | None, out: Path) -> list[Path]:
    """Draw the trace of the configured problem; its tokens are read with the first model's tokenizer."""
    from xpflow.models.load import load_tokenizer
    from xpflow.models.registry import model_folder
    from xpflow.reporting.plots.trace_picture import figure_trace, picture
    from xpflow.traces.trace import load_traces

    if trace is None:
        raise ConfigError("the figure `trace` needs the file of a trace", hint="give --trace FILE")
    traces = load_traces(trace)
    if not traces:
        raise ArtifactError(f"{trace} holds no trace", hint="xpflow decode --trace FILE writes one")
    chosen = traces[min(config.reporting.trace_problem, len(traces) - 1)]
    model = config.models[0]
    tokenizer = load_tokenizer(model_folder(model.directory or model.name))
    ends = [token for token in (tokenizer.eos_token_id, tokenizer.pad_token_id) if isinstance(token, int)]
    shown = picture(
        chosen,
        lambda token: str(tokenizer.decode([token], clean_up_tokenization_spaces=False)),
        _trace_title(model.name, chosen.head),
        ends,
    )
    return figure_trace(shown, out, config.reporting.figure_formats)


def _trace_title(model: str, head: dict[str, Any]) -> str:
    settings = head.get("settings", {})
    problem = f", {head['task_id']}" if head.get("task_id") else ""
    budget = f" at {settings['budget']} of the budget" if "budget" in settings else ""
    return f"{model}{problem}{budget}: {head['nfe']} forward passes for {len(head['tokens'])} tokens"
