"""The command line: a table of sub-commands, each imported only when it is called.

`xpflow --help` reads the table and nothing else, so it answers at once; torch is imported by the commands
that need it. A sub-command is one file with a `typer` app in it (see `xpflow.cli.base`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from errno import ENOENT
from importlib import import_module
from io import TextIOWrapper

import xpflow
from xpflow import __version__
from xpflow.errors import XpflowError, nearest

# group -> command -> (module, one line of help)
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Use a model": {
        "decode": ("xpflow.cli.decode", "Decode a benchmark or one prompt into samples"),
        "view": ("xpflow.cli.view", "Show a decode step by step, in a browser or in the terminal"),
        "grade": ("xpflow.cli.grade", "Run samples against their tests in a jail"),
        "score": ("xpflow.cli.score", "Pass rates with intervals, and paired comparisons"),
        "lm-eval": ("xpflow.cli.lm_eval", "Run lm-evaluation-harness with our models and decoders"),
        "problems": ("xpflow.cli.problems", "List, export or check the problems of a benchmark"),
        "text": ("xpflow.cli.text", "Show, measure or export small languages with an exact oracle"),
    },
    "Look around": {
        "decoders": ("xpflow.cli.decoders", "List the decoders, or the settings of one"),
        "objectives": ("xpflow.cli.objectives", "List the training objectives, or the settings of one"),
        "prompts": ("xpflow.cli.prompts", "List the protocols, or show a prompt as a model sees it"),
        "doctor": ("xpflow.cli.doctor", "Say what works on this machine"),
        "image": ("xpflow.cli.image", "Build the container image, or show which one is used"),
        "config": ("xpflow.cli.config", "Show, check or describe a study's configuration"),
        "audit": ("xpflow.cli.audit", "Check every file of a study against where it came from"),
        "pack": ("xpflow.cli.pack", "Pack a study's small artifacts into one archive"),
        "unpack": ("xpflow.cli.unpack", "Unpack such an archive, checked"),
        "export": (
            "xpflow.cli.export",
            "Export a study as a Workflow Run RO-Crate",
        ),
        "cache": ("xpflow.cli.cache", "List or clean the checkpoints that checkouts share"),
        "plan": ("xpflow.cli.plan", "Say what memory, time and disk a study needs, before it runs"),
        "summary": ("xpflow.cli.summary", "Say what a finished study found, in a table and a few lines"),
        "cluster": ("xpflow.cli.cluster", "Ask SLURM whether it would take a study's jobs"),
        "match": ("xpflow.cli.match", "Find the setting that takes a wanted mean NFE"),
        "tiny": ("xpflow.cli.tiny", "Write tiny random checkpoints in the published layouts"),
        "bench": ("xpflow.cli.bench", "Measure seconds and NFE of the stages and decoders"),
    },
    "Stages of a study": {
        "fetch": ("xpflow.cli.fetch", "Fetch models and data of the hub, at pinned revisions"),
        "pretrain": ("xpflow.cli.pretrain", "Train a micro model from nothing"),
        "selfdata": ("xpflow.cli.selfdata", "Decode a model's own answers for self-alignment"),
        "grade-answers": ("xpflow.cli.grade_answers", "Run a model's own answers against their tests"),
        "train": ("xpflow.cli.train", "Train a model on its own answers, as x-prediction alignment"),
        "solvable": ("xpflow.cli.solvable", "Keep the training prompts that the base model solves"),
        "grpo": ("xpflow.cli.grpo", "Train a step-size policy (Eq. 18)"),
        "corpus": ("xpflow.cli.corpus", "Pack published texts, train models on them, measure and judge"),
        "evaluate": ("xpflow.cli.evaluate", "Decode all arms of a study that share one model's weights"),
        "probe": ("xpflow.cli.probe", "Probe the mixed states of flow: validity, recovery, trajectories"),
        "trace": ("xpflow.cli.trace", "Decode the problem that the picture of a study shows"),
        "merge": ("xpflow.cli.merge", "Merge shards into one file, the same bytes in any order"),
        "tables": ("xpflow.cli.tables", "Write the tables of a study from its verdicts"),
        "figures": ("xpflow.cli.figures", "Draw the figures of a study from its logs and verdicts"),
        "report": ("xpflow.cli.report", "Write the report of a study as one page to open and question"),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}

EXIT_ERROR = 2
EXIT_PIPE = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code.

    An XpflowError is printed as message and hint with exit code 2, and so is what the system says of a file
    or a full disk, be it where the output goes;
    with XPFLOW_DEBUG=1 both are raised, so that the traceback shows. Any other exception is a bug and is
    raised.
    """
    _print_anything()
    xpflow.AUTO_CLASSES = False
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _answer(arguments)
        _flush()
        return code
    except XpflowError as error:
        return _said(error, str(error))
    except BrokenPipeError:  # `xpflow ... | head`: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except OSError as error:
        return _said(error, _of_system(error))


def _answer(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if arguments[0] == "--version":
        print(f"xpflow {__version__}")
        return 0
    return _run(arguments[0], arguments[1:])


def _flush() -> None:
    """Write what was printed while an error of it can still be said: at the end of Python none can."""
    if sys.stdout is not None:  # closed by `>&-`
        sys.stdout.flush()


def _drop_unwritten() -> None:
    """Forget what cannot be printed: Python would try again at its end, and say so with a traceback."""
    try:
        _flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _of_system(error: OSError) -> str:
    """Return what the system says of a file or of this machine, as of a full disk; raise any other error."""
    from xpflow.artifacts.io import HINTS

    if error.filename is not None:
        return f"{error.filename}: {error.strerror}\n  hint: is it the file that was meant?"
    what, hint = error.strerror or str(error), HINTS.get(error.errno or 0, "")
    if "temporary directory" in what:
        hint = "name a folder that can be written, as TMPDIR=FOLDER"
    if error.errno == ENOENT and os.stat(".").st_nlink == 0:
        what, hint = "the working folder is not there any more", "change to another one, or to it again"
    if not hint:
        raise error
    return f"{what}\n  hint: {hint}"


def _said(error: Exception, text: str) -> int:
    """Print an error and return its exit code; raise it where the traceback is wanted."""
    if os.environ.get("XPFLOW_DEBUG") == "1":
        raise error
    with suppress(OSError):  # stderr may be full itself
        print(f"error: {text.encode('utf-8', 'backslashreplace').decode()}", file=sys.stderr, flush=True)
    _drop_unwritten()
    return EXIT_ERROR


def _print_anything() -> None:
    """Print characters that the terminal's encoding does not have, and halves of some, as codes: \\u2212."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def help_text() -> str:
    """Return what `xpflow --help` prints."""
    width = max(map(len, COMMANDS))
    lines = ["Usage: xpflow COMMAND [OPTIONS]", "", "Masked diffusion decoding as x-prediction flow.", ""]
    for group, commands in GROUPS.items():
        lines.append(f"{group}:")
        lines += [f"  {name:<{width}}  {text}" for name, (_, text) in commands.items()]
        lines.append("")
    lines += [
        "`xpflow COMMAND --help` has the options and examples; `xpflow --version` the version.",
        "XPFLOW_DEBUG=1 shows the traceback of an error.",
    ]
    return "\n".join(lines)


def _run(name: str, arguments: list[str]) -> int:
    if name not in COMMANDS:
        raise XpflowError(f"no such command: {name!r}", hint=nearest(name, COMMANDS))
    if image := os.environ.get(
        "XPFLOW_CONTAINER_DIGEST"
    ):  # set by the workflow: a job's log says where it ran
        print(f"container image {image}", file=sys.stderr)
    from xpflow.cli.base import run_app  # typer costs 0.1 s: only now

    module = import_module(COMMANDS[name][0])

    return run_app(module.app, f"xpflow {name}", arguments)
