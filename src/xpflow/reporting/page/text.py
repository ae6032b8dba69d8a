"""Models of small languages as the page draws them: bounds against forwards, and samples by steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xpflow.reporting.markup import Lines
from xpflow.reporting.page.charts import SYMBOLS, Chart, curve, data_table, plain, series
from xpflow.reporting.plots.text import looks_of
from xpflow.reporting.text_results import Trained, reported
from xpflow.reporting.text_units import DASH
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextBlock

Worlds = Mapping[str, Sequence[Trained]]


def text_charts(config: StudyConfig, trained: Sequence[Trained]) -> list[Chart]:
    """Return the three charts: bounds against forwards, samples' likelihood, samples that are invalid."""
    worlds, block = reported(trained), config.text
    return [
        _bounds(block, worlds),
        _samples(block, worlds, "sample_excess"),
        _samples(block, worlds, "invalid"),
    ]


def _bounds(block: TextBlock, worlds: Worlds) -> Chart:
    panels, rows, said = [], list[tuple[Lines, ...]](), []
    numbers = {name: number for number, name in enumerate(looks_of(block))}
    for world, runs in worlds.items():
        drawn = []
        for one in runs:
            x_K, y_KS = one.curve()
            mean_K, low_K, high_K = y_KS.mean(axis=1), y_KS.min(axis=1), y_KS.max(axis=1)
            hover = [f"{x:,.0f} forwards: {y:.3f}" for x, y in zip(x_K, mean_K, strict=True)]
            band = [plain(low_K), plain(high_K)]
            drawn.append(curve(numbers[one.run.name], x_K, mean_K, band=band, hover=hover))
            rows += [
                ((world,), (one.label,), (f"{x:,.0f}",), (f"{y:.3f}",), (f"{low:.3f} to {high:.3f}",))
                for x, y, low, high in zip(x_K, mean_K, low_K, high_K, strict=True)
            ]
        panels.append({"title": world, "curves": drawn})
        best = min(runs, key=lambda one: one.bound("excess").mean())
        said.append(f"{world}: nearest by {best.label}, {best.bound('excess').mean():.3f}")
    heads = ("world", "run", "forwards × sentences", "excess", "seeds, low to high")
    return Chart(
        "text-bounds",
        "Bounds above the language, against what they cost",
        "How far each model's bound lies above the language's own likelihood, in nats a token, by the "
        f"forwards times sentences that its training took. At the end, {'; '.join(said)}.",
        data_table("text-bounds-drawn", heads, rows, right=(2, 3, 4)),
        {
            "series": _series(block),
            "panels": panels,
            "y": {"title": "nats a token above the language"},
            "x": {"title": "forwards × sentences", "log": True},
        },
    )


def _samples(block: TextBlock, worlds: Worlds, what: str) -> Chart:
    panels, rows = [], list[tuple[Lines, ...]]()
    numbers = {name: number for number, name in enumerate(looks_of(block))}
    for world, runs in worlds.items():
        drawn = []
        for one in runs:
            y_K = [float(one.measured(what, steps=steps).mean()) for steps in block.steps]
            words_K = [float(one.sample(steps, "unigram_entropy").mean()) for steps in block.steps]
            nfe_K = [float(one.sample(steps, "nfe").mean()) for steps in block.steps]
            hover = [
                f"{steps} steps, {nfe:.1f} forwards: {_text(y, what)}, words' entropy {words:.3f}"
                for steps, nfe, y, words in zip(block.steps, nfe_K, y_K, words_K, strict=True)
            ]
            drawn.append(curve(numbers[one.run.name], block.steps, y_K, hover=hover))
            rows += [
                ((world,), (one.label,), (str(steps),), (_text(y, what),), (f"{words:.3f}",))
                for steps, y, words in zip(block.steps, y_K, words_K, strict=True)
            ]
        panels.append({"title": world, "curves": drawn})
    invalid = what == "invalid"
    title = "Samples that the language cannot say" if invalid else "Samples' exact likelihood, by steps"
    text = (
        "Share of samples with probability zero."
        if invalid
        else "-log p(x) of valid samples by the language itself, less its entropy, in nats a token. Below 0 "
        "samples repeat what is likely: the entropy of their words stands in the table and at every mark."
    )
    heads = ("world", "run", "steps", "invalid" if invalid else "nats a token", "words' entropy")
    y = {"title": "invalid", "percent": True, "zero": True} if invalid else {"title": "nats a token above H"}
    return Chart(
        f"text-{what.replace('_', '-')}",
        title,
        text,
        data_table(f"text-{what}-drawn", heads, rows, right=(2, 3, 4)),
        {"series": _series(block), "panels": panels, "y": y, "x": {"title": "steps", "log": True}},
    )


def _series(block: TextBlock) -> list[dict[str, object]]:
    return [
        series(look["label"], look["color"], "solid", SYMBOLS[look["marker"]])
        for look in looks_of(block).values()
    ]


def _text(value: float, what: str) -> str:
    if value != value:
        return DASH
    return f"{100 * value:.1f} %" if what == "invalid" else f"{value:.3f}"
