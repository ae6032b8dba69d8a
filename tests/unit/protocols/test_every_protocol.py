"""What holds for every protocol of the table, for every shape: also for those that it has no recipe for."""

from __future__ import annotations

import pytest

from xpflow.errors import DataError
from xpflow.grading.extraction import EXTRACTIONS
from xpflow.grading.extraction.rule import extract
from xpflow.models.load import load_tokenizer
from xpflow.models.registry import MODELS, SHIPPED_NAMES
from xpflow.problems.shapes import SHAPES
from xpflow.protocols import PROTOCOLS
from xpflow.protocols.find import UNNAMED, find_protocol
from xpflow.protocols.prompter import Prompter

TOKENIZERS = {name: load_tokenizer(MODELS[name].shipped_folder) for name in SHIPPED_NAMES}


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_a_protocol_says_its_name_version_and_source(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert protocol.name == name
    assert find_protocol(protocol.label) is protocol
    assert protocol.source
    assert protocol.about
    assert set(protocol.recipes) <= set(SHAPES)


def test_what_names_no_protocol_is_read_by_one_of_the_table() -> None:
    assert find_protocol().label == UNNAMED


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("name", list(PROTOCOLS))
@pytest.mark.parametrize("model", TOKENIZERS)
def test_every_shape_is_asked_and_read_by_every_protocol(model: str, name: str, shape: str) -> None:
    prompter, kind = Prompter(PROTOCOLS[name], TOKENIZERS[model]), SHAPES[shape]
    problem = kind.example
    assert problem.prompt.strip() in prompter.text(problem)
    assert problem.canonical_solution not in prompter.text(problem)
    assert prompter.encode(problem) == prompter.encode(problem)
    rule = prompter.protocol.extraction(shape)
    assert rule in EXTRACTIONS
    if shape not in prompter.protocol.recipes:
        assert kind.instruction(problem).strip() in prompter.text(problem)
        assert rule == kind.extraction
    ids = TOKENIZERS[model](problem.canonical_solution, add_special_tokens=False)["input_ids"]
    assert isinstance(extract(prompter.answer(problem, ids), problem, rule), str)


@pytest.mark.parametrize("model", TOKENIZERS)
def test_an_answer_ends_where_the_models_own_template_ends_a_turn(model: str) -> None:
    tokenizer = TOKENIZERS[model]
    for name in PROTOCOLS:
        if not PROTOCOLS[name].cut_at_end or PROTOCOLS[name].template is not None:
            continue
        chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a = 1"}]
        rendered = tokenizer.apply_chat_template(chat, tokenize=False)
        ids = tokenizer("a = 1" + rendered.partition("a = 1")[2], add_special_tokens=False)["input_ids"]
        problem = next(iter(SHAPES[shape].example for shape in SHAPES))
        assert Prompter(PROTOCOLS[name], tokenizer).answer(problem, ids) == "a = 1"


def test_a_shape_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="no such shape: 'humanevil'"):
        find_protocol().recipe("humanevil")
