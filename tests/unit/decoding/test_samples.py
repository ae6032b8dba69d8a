"""Several samples of each task: the first is the run of one sample, the others have draws of their own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from xpflow.decoding import settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.decoding.samples import decode_samples, require_draws, row_seed
from xpflow.errors import ConfigError
from xpflow.noise import noise_of

DRAWS = {"gen_length": 8, "budget": "1/2", "batch_size": 3, "temperature": 1.5}


@pytest.fixture
def rows(make_model, prompts) -> Any:
    """Return a function that decodes the prompts with a fake model."""
    model = make_model()
    items = [(f"task/{number}", prompt) for number, prompt in enumerate(prompts)]

    def run(values: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        settings = settings_from("mask_prediction", values)
        return decode_samples(model, lambda _, tokens: str(tokens), items, settings, **options)[0]

    return run


def test_the_first_sample_is_the_run_of_one_sample_and_others_differ(rows) -> None:
    single, several = rows(DRAWS, seed=5), rows(DRAWS, seed=5, samples=range(3))
    assert [(row["task_id"], row["sample"]) for row in several] == [
        (row["task_id"], number) for row in single for number in range(3)
    ]
    assert all("sample" not in row for row in single)
    assert [{**row, "sample": 0} for row in single] == several[::3]
    tokens = [[row["tokens"] for row in several[number::3]] for number in range(3)]
    assert tokens[0] != tokens[1] != tokens[2] != tokens[0]


def test_a_sample_depends_on_its_task_and_number_alone(rows) -> None:
    several = rows(DRAWS, samples=range(3))
    assert rows(DRAWS, samples=[2]) == several[2::3]
    parts = [rows(DRAWS, samples=range(3), shard=(k, 2)) for k in (1, 2)]
    order = {row["task_id"]: place for place, row in enumerate(several)}
    assert sorted([*parts[0], *parts[1]], key=lambda row: (order[row["task_id"]], row["sample"])) == several
    assert rows({**DRAWS, "batch_size": 8}, samples=range(3)) == several


def test_traces_name_the_sample_and_progress_counts_all(make_model, prompts) -> None:
    done: list[int] = []
    items = [("a", prompts[0]), ("b", prompts[1])]
    found, traces = decode_samples(
        make_model(),
        lambda _, tokens: "",
        items,
        settings_from("mask_prediction", DRAWS),
        samples=range(2),
        trace=True,
        progress=done.append,
    )
    names = [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert [(one.head["task_id"], one.head["sample"]) for one in traces] == names
    assert len(found) == 4
    assert done == [2, 4]


def test_no_two_rows_share_a_seed() -> None:
    names = [(seed, task, n) for seed in (0, 1, 11) for task in ("a", "1:a", "1/a", "a:1") for n in range(3)]
    assert len({row_seed(*name) for name in names}) == len(names)
    assert row_seed(3, "a", 0) == row_seed(3, "a")


def test_where_nothing_is_drawn_several_samples_are_refused(rows) -> None:
    still = {**DRAWS, "temperature": 0.0}
    with pytest.raises(ConfigError, match="would be the same") as caught:
        rows(still, samples=range(2))
    assert "temperature=0.8" in caught.value.hint
    drawn = rows({**still, "remasking": "random"}, samples=range(2))
    assert [row["tokens"] for row in drawn[::2]] != [row["tokens"] for row in drawn[1::2]]


@pytest.mark.parametrize("name", list(DECODERS))
def test_every_decoder_says_whether_its_settings_draw(name: str) -> None:
    settings = settings_from(name, {})
    one, several = (noise_of(SimpleNamespace(mask_token_ids=ids)) for ids in ([7], [7, 8]))
    if not DECODERS[name].draws(settings):  # one that always draws needs no temperature
        with pytest.raises(ConfigError, match=name):
            require_draws(settings, one)
    for noise in (several, noise_of(SimpleNamespace(noise="gaussian"))):
        require_draws(settings, noise)
    if "temperature" in DECODERS[name].settings.model_fields and name != "drafts":  # which takes none above 0
        require_draws(settings_from(name, {"temperature": 0.8}), one)


def test_a_task_named_by_half_a_character_has_a_seed_of_its_own() -> None:
    assert len({row_seed(0, name) for name in ("\ud83d", "\ud83e", "?", "\\ud83d")}) == 4
