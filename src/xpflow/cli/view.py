"""`xpflow view`: traces of decodes, step by step: a page for a browser, or a replay in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpflow.cli.base import examples, given, new_app, unused
from xpflow.cli.checks import Output
from xpflow.cli.inputs import as_listed

if TYPE_CHECKING:
    from xpflow.decoding.trace import Trace
    from xpflow.traces.viewer.data import TokenText

app = new_app()
MOST = 6  # decodes on one page


@app.command(
    epilog=examples(
        "xpflow decode --prompt 'Write a function to ...' --compare threshold,flow --trace t.npz",
        "xpflow view t.npz --html decoding.html        # both, kept in step",
        "xpflow view t.npz                             # in the terminal: n, p, space, q",
        "xpflow view a.npz b.npz --task HumanEval/3 --html he3.html",
    )
)
def view(
    context: typer.Context,
    traces: Annotated[
        list[Path], typer.Argument(metavar="TRACES", help="Files of `xpflow decode --trace`, or a study's")
    ],
    html: Annotated[
        Path | None,
        Output(endings=(".html", ".htm")),
        typer.Option(help="Write a page: one file, which works without a network"),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Task id of the problem; default: that of the first trace")
    ] = None,
    model: Annotated[
        str, typer.Option(callback=as_listed, help="Whose tokenizer reads traces that carry no texts")
    ] = "llada-micro",
) -> None:
    """Show what happened at every step of a decode; several of one problem are kept in step by their NFE.

    Without --html it is replayed in the terminal; what is not a terminal gets one line for each step.
    """
    from xpflow.traces.viewer.data import texts_of

    chosen = chosen_traces(traces, task)
    if all(texts_of(trace) for trace in chosen):
        unused(context, "the traces carry their texts", "model")
    texts = [_texts(trace, model, given(context, "model")) for trace in chosen]
    if html is not None:
        _write_page(html, chosen, texts)
    else:
        from xpflow.cli.replay import Replay, replay

        shown = zip(chosen, texts, labels_of(chosen), strict=True)
        replay([Replay(trace, *known, label) for trace, known, label in shown])


def chosen_traces(files: list[Path], task: str | None) -> list[Trace]:
    """Return the traces that answer one prompt: that of a task, else that of the first trace.

    Raises:
        ArtifactError, ConfigError: a file is no trace file, or holds no such trace.
    """
    from xpflow.decoding.trace import load_traces
    from xpflow.errors import ConfigError, nearest

    found = [(file, trace) for file in files for trace in load_traces(file)]
    tasks = list(dict.fromkeys(trace.head.get("task_id") for _, trace in found))
    named = [str(one) for one in tasks if one is not None]
    first = next((trace for _, trace in found if task in (None, trace.head.get("task_id"))), None)
    if first is None:
        hint = nearest(task or "", named) if named else "these are of single prompts: leave out --task"
        hint = hint if found else "xpflow decode --trace FILE writes one"
        raise ConfigError(f"no trace {'of task ' + repr(task) if task else 'in the files'}", hint=hint)
    same = [(file, trace) for file, trace in found if trace.head["prompt"] == first.head["prompt"]]
    for file in files:
        if file not in [one for one, _ in same]:
            raise ConfigError(
                f"{file}: no decode of the same prompt as in {files[0]}",
                hint="name a problem that both have, by --task ID",
            )
    if len(same) < len(found):
        print(f"{len(same)} of {len(found)} traces: those of {first.head.get('task_id')}", file=sys.stderr)
    if len(same) > MOST:
        print(f"the first {MOST} of {len(same)} decodes of this prompt are shown", file=sys.stderr)
    return [trace for _, trace in same[:MOST]]


def labels_of(traces: list[Trace]) -> list[str]:
    """Return the headings of traces: decoder, settings and budget, and the model where there are several."""
    from xpflow.traces.viewer.data import trace_label

    models = [trace.head.get("model") for trace in traces]
    several = len(set(models)) > 1
    return [
        f"{trace_label(trace)}, {model}" if several and model else trace_label(trace)
        for trace, model in zip(traces, models, strict=True)
    ]


def _texts(trace: Trace, model: str, named: bool) -> tuple[TokenText, list[int]]:
    """Return the texts of a trace's tokens: its own, else by the tokenizer of a model."""
    from xpflow.errors import ConfigError
    from xpflow.traces.viewer.data import ids_of, texts_of

    if own := texts_of(trace):
        return own
    from xpflow.cli.one_prompt import token_text
    from xpflow.models.load import named_tokenizer

    source = model if named else trace.head.get("model") or model
    if not named and not trace.head.get("model"):
        print(f"texts by the tokenizer of {source}; another: --model NAME", file=sys.stderr)
    tokenizer: Any = named_tokenizer(source)
    if max(ids_of(trace), default=0) >= len(tokenizer):
        raise ConfigError(
            f"the trace has tokens that {source} does not know", hint="name its model: --model NAME or FOLDER"
        )
    return token_text(tokenizer), list(tokenizer.all_special_ids)


def _write_page(html: Path, traces: list[Trace], texts: list[tuple[TokenText, list[int]]]) -> None:
    from xpflow.artifacts.io import atomic_write_text
    from xpflow.traces.viewer import viewer_data, viewer_page

    labels = labels_of(traces)
    datas = [
        viewer_data(trace, text, special_ids=special, label=label)
        for trace, (text, special), label in zip(traces, texts, labels, strict=True)
    ]
    task = traces[0].head.get("task_id")
    atomic_write_text(html, viewer_page(datas, f"Decoding of {task}" if task else "Decoding"))
    print(html)
