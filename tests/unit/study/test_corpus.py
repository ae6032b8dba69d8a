"""Block `text.corpus`: its jobs, what is refused, what comes from the hub, fingerprints, and the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xpflow.errors import ConfigError
from xpflow.planning import make_plan
from xpflow.planning.assumptions import find_gpu
from xpflow.study.config import load_study
from xpflow.study.config.load import study_from_mapping
from xpflow.study.config.root import StudyConfig
from xpflow.study.corpus import corpus_couplings, corpus_recipe, find_corpus_run, rows_jobs, sample_files
from xpflow.study.needs import repos_of
from xpflow.study.stages import stage_fingerprint, stage_plugins
from xpflow.study.text import start_of, text_jobs
from xpflow.training.corpus_check import check_corpora

ROOT = Path(__file__).parents[3]
LM1B: dict[str, Any] = {
    "name": "lm1b",
    "train": {"corpus": "lm1b"},
    "tokenizer": "bert-base-uncased",
    "length": 128,
    "sizes": {"model_length": 128},
    "measured": [{"name": "test", "corpus": "lm1b"}],
    "steps": [4, 8],
}
MASKED: dict[str, Any] = {
    "name": "masked",
    "objective": "order_expressive",
    "published": {"lm1b": {"test": 31.8}},
}
LEARNED: dict[str, Any] = {
    "name": "learned",
    "objective": "order_expressive",
    "settings": {"schedule": "learned"},
    "updates": 7,
    "warmup_updates": 3,
}
REDI: dict[str, Any] = {
    "name": "redi",
    "from": "masked",
    "objective": "infinite_mask",
    "couplings": {"count": 5, "steps": 4},
}


def study(text: dict[str, Any] | None = None, **block: Any) -> StudyConfig:
    texts = {**LM1B, **(text or {})}
    whole = {"runs": [MASKED, LEARNED, REDI], "average": 0.9, "corpus": {"texts": [texts]}, **block}
    rest = {"models": [], "problems": {"benchmarks": []}, "evaluation": {"arms": []}}
    return study_from_mapping({"study": {"name": "c"}, "text": whole, **rest}, source="c.yaml")


def test_runs_on_texts_are_jobs_apart_from_those_on_worlds() -> None:
    both = study(
        worlds=["orders"], runs=[MASKED, {**LEARNED, "worlds": ["lm1b"]}, {**REDI, "worlds": ["lm1b"]}]
    )
    assert [(job.world, job.run) for job in text_jobs(both)] == [("orders", "masked")]
    job = find_corpus_run(both, "lm1b", "redi", 0)
    assert start_of(both, job) == find_corpus_run(both, "lm1b", "masked", 0)
    assert [(one.run, one.pairs, one.steps) for one in corpus_couplings(both)] == [("masked", 5, 4)]
    assert [one.rows for one in rows_jobs(both)] == ["train", "test"]
    learned = find_corpus_run(both, "lm1b", "learned", 0)
    assert sample_files(both, job) == ("own-4.jsonl", "own-8.jsonl")
    assert sample_files(both, learned) == ("own-4.jsonl", "own-8.jsonl", "off-4.jsonl", "off-8.jsonl")
    recipe = corpus_recipe(both, learned)
    assert (recipe["updates"], recipe["warmup_updates"], recipe["average"]) == (7, 3, 0.9)
    assert "width" not in recipe
    with pytest.raises(ConfigError, match="trains no run learned on orders"):
        find_corpus_run(both, "orders", "learned", 0)


@pytest.mark.parametrize(
    ("text", "block", "told"),
    [
        ({"tokenizer": "bert"}, {}, "'bert' is not known here"),
        ({"architecture": "mdml"}, {}, "mdlm"),
        ({"train": {"corpus": "lm1"}}, {}, "lm1b"),
        ({"train": {"corpus": "lm1b", "split": "trian"}}, {}, "lm1b has no split 'trian'"),
        ({"measured": [{"name": "ptb", "corpus": "ptb"}]}, {}, "ptb_text_only has no default revision"),
        ({"measured": [{"name": "train", "corpus": "lm1b"}]}, {}, "has a name of its own"),
        ({"name": "orders"}, {"worlds": ["orders"]}, "'orders' is one of text.worlds"),
        ({"steps": [4, 4]}, {}, "'4' occurs twice|4 occurs twice"),
        ({}, {"runs": [{"name": "ar", "objective": "causal"}]}, "a causal model is not measured on 'lm1b'"),
        ({}, {"runs": [{**MASKED, "worlds": ["owt"]}]}, "'owt' is not known here"),
        ({}, {"runs": [{**MASKED, "published": {"owt": {}}}]}, "'owt' is not known here"),
        ({}, {"runs": [{**MASKED, "published": {"lm1b": {"tset": 31.8}}}]}, "'tset' is not known here"),
        ({}, {"runs": [{**MASKED, "published": {"lm1b": {"own-5": 31.8}}}]}, "'own-5' is not known here"),
        ({}, {"runs": [{**MASKED, "published": {"lm1b": {"test": 0}}}]}, "0 is no perplexity"),
        ({"steps": [0]}, {}, "greater than 0"),
        ({"steps": [4, -8]}, {}, "greater than 0"),
        ({}, {"steps": [0, 2]}, "greater than 0"),
        ({"train": {"corpus": "lm1b", "file": "a", "revision": "b"}}, {}, "has no `revision`"),
    ],
)
def test_what_no_stage_could_use_is_named(text: dict[str, Any], block: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        study(text, **block)


@pytest.mark.parametrize(
    ("text", "block", "told"),
    [
        ({"sizes": {"hiden_dim": 16}}, {}, "'hiden_dim' is no size of a mdlm"),
        ({"sizes": {"vocab_size": 9}}, {}, "'vocab_size' is no size"),
        ({"sizes": {"dropout": 0.3}}, {}, "'dropout' is no size"),
        ({"sizes": {"time_conditioning": True}}, {}, "'time_conditioning' is no size"),
        ({"sizes": {"hidden_dim": 30.5}}, {}, "expected a whole number"),
        ({"sizes": {"hidden_dim": 30, "n_heads": 4}}, {}, "one even width"),
        (
            {"train": {"corpus": "lm1b", "file": "nowhere.jsonl"}},
            {},
            "train.file: there is no 'nowhere.jsonl'",
        ),
        (
            {"measured": [{"name": "test", "corpus": "ptb", "file": "no"}]},
            {},
            r"measured\[test\].file: there is no",
        ),
        ({"tokenizer_directory": "nowhere"}, {}, "tokenizer_directory: nowhere: no tokenizer.json"),
    ],
)
def test_what_a_training_would_find_later_is_found_by_the_check(
    text: dict[str, Any], block: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        check_corpora(study(text, **block), "c.yaml")


def test_a_judge_of_another_kind_is_found_before_the_first_update(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llada"}')
    texts = {**LM1B, "sizes": {"model_length": 128, "hidden_dim": 16, "n_blocks": 1, "n_heads": 2}}
    for folder, told in ((tmp_path, "holds a 'llada'"), (tmp_path / "no", "judge_directory")):
        block = {"corpus": {"texts": [texts], "judge_directory": str(folder)}, "runs": [MASKED]}
        with pytest.raises(ConfigError, match=told):
            check_corpora(study(**block), "c.yaml")
        check_corpora(study(**block), "c.yaml", here=False)


def test_what_comes_from_the_hub_is_pinned_and_local_files_do_not() -> None:
    assert [repo.name for repo in repos_of(study())] == ["lm1b", "bert-tokenizer", "gpt2-large"]
    assert all(len(repo.revision) == 40 for repo in repos_of(study()))
    assert [repo.name for repo in repos_of(study({"steps": []}))] == ["lm1b", "bert-tokenizer"]
    local = {"tokenizer_directory": "t", "train": {"corpus": "ptb", "file": "a"}}
    found = study({**local, "measured": [{"name": "test", "corpus": "ptb", "file": "b"}], "steps": []})
    assert repos_of(found) == []
    for name in ("lomdm-paper", "imdm-paper"):
        repos = {repo.name: repo for repo in repos_of(load_study(ROOT / f"config/{name}.yaml"))}
        assert {"lm1b", "openwebtext", "bert-tokenizer", "gpt2-tokenizer", "gpt2-large"} <= repos.keys()
        assert all(len(repo.revision) == 40 for repo in repos.values())


def test_a_fingerprint_covers_what_its_stage_reads_and_no_more() -> None:
    names = {"world": "lm1b", "run": "learned", "seed": 0}
    commands = ("corpus-train", "corpus-measure", "corpus-sample", "corpus-judge")

    def of(config: StudyConfig) -> dict[str, str | None]:
        found = {name: stage_fingerprint(config, {"command": name, **names}) for name in commands}
        rows = {"command": "corpus-pack", "world": "lm1b", "rows": "test"}
        return {**found, "corpus-pack": stage_fingerprint(config, rows)}

    def changed(text: dict[str, Any] | None = None, **block: Any) -> set[str]:
        other = of(study(text, **block))
        return {name for name, value in of(study()).items() if value != other[name]}

    assert changed() == set()
    assert changed(average=0.5) == {"corpus-train"}
    assert changed({"samples": 9}) == {"corpus-sample"}
    assert changed({"steps": [4]}) == {"corpus-sample", "corpus-judge"}
    assert changed({"length": 64}) == {"corpus-pack"}
    assert changed({"measured": [{"name": "test", "corpus": "lm1b", "limit": 5}]}) == {"corpus-measure"}
    assert changed({"sizes": {"model_length": 256}}) == {"corpus-train"}
    assert stage_plugins(study(), {"command": "corpus-train", **names}) == [
        "architecture:mdlm",
        "objective:order_expressive",
        "schedule:constant",
        "schedule:learned",
    ]


def test_a_plan_has_hours_memory_and_disk_of_all_stages() -> None:
    gpus = [find_gpu("h200")]
    plan = make_plan(load_study(ROOT / "config/lomdm-paper.yaml"), gpus, [1, 8])
    rows = {entry.stage.name: entry for entry in plan.find("h200", 8)}
    assert all(entry.fits for entry in rows.values())
    plain, learned = rows["train lm1b masked"], rows["train lm1b lomdm"]
    assert learned.seconds / plain.seconds == pytest.approx(7 / 3), "two with a backward and one without"
    assert "average (fp32)" in plain.memory.parts
    alone = {entry.stage.name: entry for entry in plan.find("h200", 1)}
    assert alone["train lm1b masked"].seconds == pytest.approx(8 * plain.seconds, rel=0.01)
    assert alone["sample owt lomdm"].stage.forwards == 2 * 1024 * (128 + 256 + 512 + 1024)
    space = {one.what: one.size for one in plan.disk}
    assert space["openwebtext, data"] > 24e9
    assert 18e9 < space["packed rows"] < 24e9
