"""`xpflow decoders` lists every decoder of the table, and of one every setting that it accepts."""

from __future__ import annotations

import pytest

from xpflow.cli import main
from xpflow.decoding import settings_from
from xpflow.decoding.decoders import DECODERS

PLUGIN = """
from xpflow.decoding.decoders.threshold import Threshold, ThresholdSettings
from xpflow.decoding.entry import Decoder


class Mine(ThresholdSettings):
    patience: int = 3


MINE = Decoder(settings=Mine, make=Threshold, about="waits a little", title="mine")
"""


def test_all_decoders_are_listed(capsys):
    assert main(["decoders"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line][: len(list(DECODERS))] == list(DECODERS)


@pytest.mark.parametrize("name", list(DECODERS))
def test_every_setting_is_listed_with_a_default_that_can_be_set(name, capsys):
    assert main(["decoders", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = dict(line.strip().split(" = ") for line in lines if " = " in line and not line.startswith("   "))
    assert shown.keys() | {"decoder"} == DECODERS[name].settings.model_fields.keys()
    given = {key: None if value == "none" and key != "suppress" else value for key, value in shown.items()}
    assert settings_from(name, given) == settings_from(name)
    assert all(field.description for field in DECODERS[name].settings.model_fields.values())


def test_a_decoder_in_a_file_is_shown_too(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    assert main(["decoders", f"{file}:MINE"]) == 0
    shown = capsys.readouterr().out
    assert "waits a little" in shown
    assert "patience = 3" in shown


def test_an_unknown_name_helps(capsys):
    assert main(["decoders", "flwo"]) == 2
    assert "did you mean 'flow'" in capsys.readouterr().err
