"""Worlds as users meet them: sentences, splits, tokenizer, files, and what is refused."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml

from xpflow.cli import main
from xpflow.errors import DataError
from xpflow.microtext import WORLDS
from xpflow.microtext.chains import Chains
from xpflow.microtext.dataset import write_dataset
from xpflow.microtext.measure import Estimate, log_ratio, quality
from xpflow.microtext.splits import SIZES, load, stream
from xpflow.microtext.tokenizer import mask_id, special_ids, tokenizer_of
from xpflow.microtext.world import World
from xpflow.microtext.worlds.orders import STRIDES, order_of

ENGLISH = WORLDS["english"]
every_world = pytest.mark.parametrize("name", list(WORLDS))


def test_the_first_sentences_of_english_are_always_these() -> None:
    assert [ENGLISH.text(row) for row in load(ENGLISH, "test")[:3].tolist()] == [
        "the young farmer feeds the baskets .",
        "some young cooks carry some plates .",
        "some cooks wash this rope .",
    ]


@every_world
def test_sentences_are_texts_and_back(name: str) -> None:
    world = WORLDS[name]
    for row in world.sample(50, torch.Generator().manual_seed(0)).tolist():
        assert world.ids(world.text(row)) == row


@every_world
def test_every_word_can_be_said(name: str) -> None:
    world = WORLDS[name]
    nothing_BL = torch.zeros(1, world.length, dtype=torch.long)
    p_LV = world.conditionals(nothing_BL, torch.ones_like(nothing_BL, dtype=torch.bool))[0]
    assert bool((p_LV.sum(0) > 0).all())


@every_world
def test_a_domain_has_the_same_words_and_other_probabilities(name: str) -> None:
    world = WORLDS[name]
    ids_BL = world.sample(64, torch.Generator().manual_seed(1))
    for other in (WORLDS[domain] for domain in world.domains.values()):
        assert (other.words, other.length) == (world.words, world.length)
        away_BL = other.sample(512, torch.Generator().manual_seed(2))
        assert other.log_prob(away_BL).mean() > world.log_prob(away_BL).mean(), "Gibbs"
        assert not torch.equal(other.log_prob(ids_BL), world.log_prob(ids_BL))


def test_number_binds_noun_and_verb_at_any_distance() -> None:
    said = "today , the old farmers gladly {} the heavy baskets near the river ."
    right, wrong = (
        ENGLISH.log_prob(torch.tensor([ENGLISH.ids(said.format(verb))])) for verb in ("carry", "carries")
    )
    assert float(right) > -40
    assert float(wrong) == -torch.inf


def test_strides_share_no_pair_of_neighbours() -> None:
    seen: set[frozenset[int]] = set()
    for stride in STRIDES:
        order = order_of(stride)[1:]
        pairs = {frozenset(pair) for pair in pairwise(order)}
        assert len(pairs) == len(order) - 1
        assert not pairs & seen
        seen |= pairs


def test_splits_and_updates_are_independent_draws_that_repeat() -> None:
    drawn = [load(ENGLISH, split) for split in SIZES]
    assert [len(found) for found in drawn] == list(SIZES.values())
    assert torch.equal(drawn[1], load(ENGLISH, "validation"))
    assert not torch.equal(drawn[0][:1024], drawn[1])
    assert torch.equal(stream(ENGLISH, 0, 5, 8), stream(ENGLISH, 0, 5, 8))
    assert (
        len({tuple(map(tuple, stream(ENGLISH, *key, 8).tolist())) for key in ((0, 5), (0, 6), (1, 5))}) == 3
    )
    with pytest.raises(DataError, match="did you mean 'validation'"):
        load(ENGLISH, "validatoin")


@pytest.mark.parametrize("name", ["english", "orders"])
def test_a_token_is_a_word_and_specials_stand_behind_them(name: str) -> None:
    world = WORLDS[name]
    tokenizer, ids = tokenizer_of(world), special_ids(world)
    row = world.sample(1, torch.Generator().manual_seed(0))[0].tolist()
    text = " ".join(world.words[i] for i in row)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == row
    assert world.ids(tokenizer.decode(row, skip_special_tokens=True)) == row
    assert tokenizer.mask_token_id == ids.mask_token_id == mask_id(world) >= world.size
    assert tokenizer.eos_token_id == ids.eos_token_id
    assert len(tokenizer) == world.size + len(ids.suppress_token_ids)
    with pytest.raises(Exception, match="UNK"):
        tokenizer("unheard", add_special_tokens=False)
    if world.end:
        assert world.words[ids.eos_token_id] == world.end


def test_quality_counts_what_cannot_be_said() -> None:
    texts = ["one cook washes the plate .", "one cook washes the plate .", "cook plate one ."]
    texts += ["the guest carries this boat ."]
    ids_BL = torch.tensor([ENGLISH.ids(text) for text in texts])
    found = quality(ENGLISH, ids_BL)
    assert (found.sentences, found.invalid, found.distinct) == (4, 0.25, 0.75)
    assert found.nll is not None
    assert found.nll.value == pytest.approx(-float(ENGLISH.log_prob(ids_BL[[0, 1, 3]]).mean()))
    assert quality(ENGLISH, ids_BL[2:3]).nll is None


def test_what_is_no_sentence_is_refused() -> None:
    with pytest.raises(DataError, match="did you mean 'farmer'"):
        ENGLISH.ids("the famer")
    with pytest.raises(DataError, match="has 16 words, found 2"):
        WORLDS["orders"].ids("step-1 a")
    ids_BL = torch.zeros(1, 16, dtype=torch.long)
    with pytest.raises(DataError, match="not below 67"):
        ENGLISH.log_prob(ids_BL + 67)
    with pytest.raises(DataError, match=r"sentences are \[B, 16\]"):
        ENGLISH.log_prob(ids_BL[:, :3])
    with pytest.raises(DataError, match="open"):
        log_ratio(ENGLISH, ids_BL, ids_BL > 0, ids_BL == 0)
    with pytest.raises(DataError, match="no sample"):
        quality(ENGLISH, ids_BL[:0])
    with pytest.raises(DataError, match="two values"):
        Estimate.of(torch.zeros(1))
    with pytest.raises(DataError, match="no such world"):
        WORLDS["englisch"]


def test_chains_that_are_none_are_refused() -> None:
    good = ENGLISH.chains
    parts = (good.weight_K, good.order_KL, good.initial_KS, good.transition_KSS, good.emission_KSV)
    for place, bad, says in (
        (0, good.weight_K * 0.9, "sum to 1"),
        (1, good.order_KL * 0, "every place once"),
        (2, good.initial_KS.float(), "float64"),
        (3, good.transition_KSS[:, :5], "shapes"),
    ):
        with pytest.raises(DataError, match=says):
            Chains(*parts[:place], bad, *parts[place + 1 :])
    with pytest.raises(DataError, match="1 words, probabilities for 67"):
        _ = World("x", "", ("one",), lambda: good).chains


def test_a_data_set_is_read_back_with_its_likelihoods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    worlds = [WORLDS["agreement-8-3"], WORLDS["orders"]]
    files = write_dataset(tmp_path / "out", worlds)
    assert len(files) == 7
    front = yaml.safe_load(files[-1].read_text().split("---\n")[1])
    assert [one["config_name"] for one in front["configs"]] == ["agreement-8-3", "orders"]
    rows = datasets.load_dataset(str(tmp_path / "out"), "orders", cache_dir=str(tmp_path / "hf"))
    assert {split: len(part) for split, part in rows.items()} == SIZES
    ids_NL = torch.tensor(rows["validation"]["ids"][:])
    assert torch.equal(ids_NL, load(worlds[1], "validation"))
    assert rows["validation"]["log_p"][:] == worlds[1].log_prob(ids_NL).tolist()
    with pytest.raises(DataError, match="each once"):
        write_dataset(tmp_path / "twice", [worlds[0], worlds[0]])


def test_the_command_lists_shows_measures_and_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["text", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(WORLDS)
    assert main(["text", "show", "english", "--limit", "2"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split(maxsplit=1)[1] == "the young farmer feeds the baskets ."
    assert main(["text", "entropy", "agreement-8-10", "english"]) == 0
    exact, estimated = capsys.readouterr().out.splitlines()
    assert "entropy 2.0794 (exact), 0.2079 a word, one step loses 18.7150 (exact)" in exact
    assert "±" in estimated
    file = tmp_path / "said.txt"
    file.write_text("\n".join(line.split(maxsplit=1)[1] for line in shown) + "\n")
    assert main(["text", "score", "english", str(file)]) == 0
    assert capsys.readouterr().out.startswith("2 sentences, 0.0000 invalid, 1.0000 distinct, nll ")
    assert main(["text", "show", "english", "--split", "tset"]) == 2
    assert "did you mean 'test'" in capsys.readouterr().err


def test_the_command_writes_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "dataset", "agreement-2-3", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out.split()
    assert [Path(path).name for path in printed] == [*(f"{split}.parquet" for split in SIZES), "README.md"]


def test_the_example_of_the_page_runs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "microtext.md").read_text(encoding="utf-8")
    [code] = re.findall(r'```python title="oracle.py"\n(.*?)```', page, re.DOTALL)
    found: dict[str, torch.Tensor] = {}
    exec(code, found)
    assert found["lost_B"].shape == found["log_p_B"].shape == (8,)
    assert torch.equal(found["p_BLV"].argmax(-1)[~found["masked_BL"]], found["ids_BL"][~found["masked_BL"]])


def test_the_page_names_every_world_with_its_sizes() -> None:
    page = (Path(__file__).parents[3] / "docs" / "microtext.md").read_text(encoding="utf-8")
    for name in WORLDS:
        world = WORLDS[name]
        assert f"| `{name}` | {world.about} | {world.size} | {world.length} |" in page
