"""`xpflow decode` on a tiny random model: samples, shards, traces, one prompt, errors."""

from __future__ import annotations

import pytest

from fakes.decoding import REMASKING
from xpflow.artifacts.io import read_jsonl
from xpflow.cli import main
from xpflow.cli.live import harmless
from xpflow.decoding import load_traces
from xpflow.traces.replay import check


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint folder of a random LLaDA with its tokenizer."""
    from xpflow.models.architectures import ARCHITECTURES
    from xpflow.models.checkpoint import save_checkpoint
    from xpflow.models.llada import LLaDAConfig, LLaDAModelLM
    from xpflow.models.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(
        ARCHITECTURES["llada"].tokenizer, ["def f(x):\n    return x + 1\n"], vocab_size=300
    )
    mask, eos = tokenizer.convert_tokens_to_ids("<|mdm_mask|>"), tokenizer.eos_token_id
    config = LLaDAConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        n_layers=1,
        n_heads=2,
        mlp_hidden_size=32,
        mask_token_id=mask,
        eos_token_id=eos,
        pad_token_id=eos,
        bos_token_id=eos,
        eot_token_id=tokenizer.convert_tokens_to_ids("<|eot_id|>"),
    )
    path = tmp_path_factory.mktemp("model")
    save_checkpoint(LLaDAModelLM(config), tokenizer, path)
    return str(path)


def run(*arguments: object) -> int:
    return main(["decode", *map(str, arguments)])


def test_samples_have_human_evals_format_and_shards_merge_to_the_same_rows(folder, tmp_path):
    common = (
        "--model",
        folder,
        "--benchmark",
        "humaneval",
        "--limit",
        4,
        "--set",
        "gen_length=16",
        "--seed",
        3,
    )
    common += ("--set", "batch_size=1")
    common += ("--decoder", "flow", "--budget", "1/4", "--policy", "constant:0.5")
    assert run(*common, "--out", tmp_path / "all.jsonl", "--trace", tmp_path / "t.npz") == 0
    for k in (1, 2):
        assert run(*common, "--shard", f"{k}/2", "--out", tmp_path / f"{k}.jsonl") == 0
    rows = read_jsonl(tmp_path / "all.jsonl")
    assert [row["task_id"] for row in rows] == [f"HumanEval/{i}" for i in range(4)]
    assert {key: rows[0][key] for key in ("nfe", "seed", "decoder", "budget")} == {
        "nfe": 4,
        "seed": 3,
        "decoder": "flow",
        "budget": "1/4",
    }
    assert isinstance(rows[0]["completion"], str)
    parts = [read_jsonl(tmp_path / f"{k}.jsonl") for k in (1, 2)]
    assert [len(part) for part in parts] == [2, 2]
    assert sorted((row for part in parts for row in part), key=lambda row: row["task_id"]) == rows
    traces = load_traces(tmp_path / "t.npz")
    assert [trace.head["task_id"] for trace in traces] == [row["task_id"] for row in rows]
    assert {trace.head["model"] for trace in traces} == {str(folder)}
    check(traces[0])


def test_several_samples_per_task_begin_with_the_single_run(folder, tmp_path):
    common = ("--model", folder, "--benchmark", "humaneval", "--limit", 2, "--set", "gen_length=8")
    common += ("--set", "temperature=0.8", "--seed", 3)
    assert run(*common, "--out", tmp_path / "one.jsonl") == 0
    assert run(*common, "--samples-per-task", 1, "--out", tmp_path / "same.jsonl") == 0
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "same.jsonl").read_bytes()
    assert run(*common, "--samples-per-task", 2, "--out", tmp_path / "two.jsonl") == 0
    one, two = read_jsonl(tmp_path / "one.jsonl"), read_jsonl(tmp_path / "two.jsonl")
    assert [(row["task_id"], row["sample"]) for row in two] == [
        (f"HumanEval/{task}", sample) for task in (0, 1) for sample in (0, 1)
    ]
    assert [{**row, "sample": 0} for row in one] == two[::2]
    for k in (1, 2):
        shard = ("--set", "batch_size=1", "--shard", f"{k}/2", "--out", tmp_path / f"{k}.jsonl")
        assert run(*common, "--samples-per-task", 2, *shard) == 0
    merged = [str(tmp_path / name) for name in ("1.jsonl", "2.jsonl")]
    assert main(["merge", "rows", *merged, "--out", str(tmp_path / "merged.jsonl")]) == 0
    assert [row["sample"] for row in read_jsonl(tmp_path / "merged.jsonl")] == [0, 1, 0, 1]


def test_several_samples_that_would_be_the_same_are_refused_before_the_model_is_loaded(
    folder, tmp_path, capsys, monkeypatch
):
    def load(*_: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("xpflow.cli.decode._load", load)
    common = ("--model", folder, "--samples-per-task", 2)
    assert run(*common, "--benchmark", "humaneval", "--out", tmp_path / "s.jsonl") == 2
    said = capsys.readouterr().err
    assert "mask_prediction draws nothing" in said
    assert "--set temperature=0.8" in said
    assert run(*common, "--prompt", "x") == 2
    assert "--samples-per-task does nothing here" in capsys.readouterr().err
    assert run(*common[:3], 0, "--benchmark", "humaneval", "--out", tmp_path / "s.jsonl") == 2


def test_an_arm_brings_its_samples(folder, tmp_path):
    study = tmp_path / "study.yaml"
    arm = "{name: hot, decoder: mask_prediction, settings: {temperature: 0.8}, samples_per_task: 3}"
    study.write_text(
        f"evaluation: {{arms: [{arm}]}}\nreporting: {{baseline_arm: hot, flow_arm: hot, trace_arm: null}}\n"
    )
    arguments = ("--model", folder, "--study-model", "llada-micro", "--benchmark", "micropy-he", "--limit", 1)
    arguments += ("--config", study, "--arm", "hot", "--budget", "1/4", "--out", tmp_path / "s.jsonl")
    assert run(*arguments) == 0
    assert [row["sample"] for row in read_jsonl(tmp_path / "s.jsonl")] == [0, 1, 2]


def test_one_prompt_is_printed_as_it_resolves(folder, capsys):
    assert run("--model", folder, "--prompt", "Add one.", "--set", "gen_length=8", "--budget", "1/2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:8] for line in lines[:4]] == [f"step {step:3d}" for step in (1, 2, 3, 4)]
    assert lines[0].count("▒") == 6
    assert lines[3].count("▒") == 0
    assert lines[-1] == "4 forwards (budget: 4 steps)"


def test_an_arm_of_a_study_brings_its_settings(folder, tmp_path):
    arguments = ("--model", folder, "--study-model", "llada-micro", "--benchmark", "micropy-he", "--limit", 2)
    study = ("--config", "config/micro.yaml", "--arm", "threshold-base", "--budget", "1/4")
    code = run(*arguments, *study, "--out", tmp_path / "s.jsonl")
    assert code == 0
    rows = read_jsonl(tmp_path / "s.jsonl")
    assert {row["decoder"] for row in rows} == {"threshold"}
    assert all(len(row["tokens"]) == 32 for row in rows)


def test_a_decoder_in_a_file_is_decoded_with_shown_and_traced(folder, tmp_path, capsys):
    trace = tmp_path / "t.jsonl"
    common = ("--model", folder, "--prompt", "x", "--decoder", REMASKING, "--set", "gen_length=8")
    assert run(*common, "--set", "doubts=1", "--trace", trace) == 0
    assert "1 fixed, 0 opened again" in capsys.readouterr().out
    [found] = load_traces(trace)
    check(found)
    assert found.age.max() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--decoder", "flow"), "--benchmark or --prompt"),
        (("--prompt", "x", "--set", "gen_lenght=8"), "gen_length"),
        (("--prompt", "x", "--set", "gen_length"), "KEY=VALUE"),
        (("--prompt", "x", "--decoder", "flwo"), "did you mean 'flow'"),
        (("--benchmark", "humaneval"), "--out"),
        (("--benchmark", "humaneval", "--out", "o.jsonl", "--shard", "3/2"), "1 <= K <= N"),
        (("--prompt", "x", "--decoder", "flow", "--policy", "konstant:1"), "constant"),
    ],
)
def test_mistakes_end_with_a_message_and_a_hint(folder, arguments, message, capsys):
    assert run("--model", folder, *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_prompt_alone_is_decoded_by_threshold_and_the_answer_stands_apart(folder, capsys, tmp_path):
    arguments = ("--model", folder, "--prompt", "Add one.", "--set", "gen_length=8")
    assert run(*arguments, "--trace", tmp_path / "t.npz") == 0
    lines = capsys.readouterr().out.splitlines()
    steps = [line for line in lines if line.startswith("step ")]
    [trace] = load_traces(tmp_path / "t.npz")
    settings = trace.head["settings"]
    assert (settings["decoder"], settings["threshold"], settings["budget"]) == ("threshold", 0.95, "1/1")
    assert "\n".join(lines[len(steps) + 1 : -2]) == harmless(trace.head["answer"], "\n\t").strip("\n")
    assert lines[len(steps)] == lines[-2] == ""
    assert trace.head["prompt_text"] == "Add one."
    assert trace.candidates.shape == (*trace.tokens.shape, 5)
    assert run(*arguments, "--decoder", "threshold", "--trace", tmp_path / "t.npz") == 0
    assert load_traces(tmp_path / "t.npz")[0].head["settings"]["threshold"] == 0.9
    assert run(*arguments, "--set", "threshold=0.5", "--trace", tmp_path / "t.npz") == 0
    assert load_traces(tmp_path / "t.npz")[0].head["settings"]["threshold"] == 0.5


def test_decoders_are_compared_on_one_prompt(folder, capsys, tmp_path):
    names = ["threshold", "flow", "mask_prediction"]
    common = (
        "--model",
        folder,
        "--prompt",
        "Add one.",
        "--set",
        "gen_length=8",
        "--compare",
        ",".join(names),
    )
    assert run(*common, "--trace", tmp_path / "t.npz", "--policy", "constant:0.5") == 0
    said = capsys.readouterr()
    traces = load_traces(tmp_path / "t.npz")
    assert [trace.head["settings"]["decoder"] for trace in traces] == names
    costs = said.out.splitlines()[-3:]
    for trace, title, cost in zip(traces, ("threshold", "flow", "mask prediction"), costs, strict=True):
        check(trace)
        assert f"--- {title}\n" in said.out
        assert cost.startswith(title)
        assert f"{trace.head['nfe']} forwards, " in cost
    assert "warning: flow on base weights" in said.err
    assert "\x1b" not in said.out
    assert main(["view", str(tmp_path / "t.npz"), "--html", str(tmp_path / "t.html")]) == 0
    assert (tmp_path / "t.html").read_text().count('"asked":8') == 3


def test_one_decoder_is_compared_with_itself_under_other_settings(folder, capsys, tmp_path):
    named = "threshold:threshold=0.1,threshold:threshold=1:budget=1/2,mask_prediction:budget=1/4"
    common = ("--model", folder, "--prompt", "Add one.", "--set", "gen_length=8", "--compare", named)
    assert run(*common, "--trace", tmp_path / "t.npz") == 0
    said = capsys.readouterr().out
    for title in ("threshold 0.1, budget 1/1", "threshold 1.0, budget 1/2", "mask prediction"):
        assert f"--- {title}\n" in said
    heads = [trace.head for trace in load_traces(tmp_path / "t.npz")]
    assert [head["settings"].get("threshold") for head in heads] == [0.1, 1.0, None]
    assert [head["nfe"] for head in heads[1:]] == [4, 2]
    assert main(["view", str(tmp_path / "t.npz"), "--html", str(tmp_path / "t.html")]) == 0
    page = (tmp_path / "t.html").read_text()
    assert all(
        f'"label":"{one}"' in page for one in ("threshold 0.1, budget 1/1", "threshold 1.0, budget 1/2")
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--benchmark humaneval --out o.jsonl --compare flow", "--benchmark does nothing here"),
        ("--prompt x --compare flow,threshold --decoder flow", "--decoder does nothing here"),
        ("--prompt x --compare flow,flow", "twice"),
        ("--prompt x --compare threshold --policy constant:1", "--policy does nothing here"),
        ("--prompt x --compare flow,", "empty"),
        ("--prompt x --compare flow,tresholt", "threshold"),
        ("--prompt x --compare flow,threshold:thresold=0.5", "thresold"),
        ("--prompt x --compare threshold:threshold=0.5:threshold=0.6", "--compare threshold is given twice"),
        ("--prompt x --compare flow,threshold --set threshold=0.5", "decoder 'flow'"),
    ],
)
def test_what_cannot_be_compared_is_refused(folder, words, message, capsys):
    assert run("--model", folder, *words.split()) == 2
    assert message in capsys.readouterr().err
