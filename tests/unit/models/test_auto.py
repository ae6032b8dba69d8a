"""The Auto classes of transformers read folders in the published layout, and run no code of theirs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

import xpflow.models
from xpflow.models.load import load_model
from xpflow.models.untrained import write_tiny_model
from xpflow.problems.micropy.dataset import training_pairs

# What the published files say besides; the modules that they name are no part of a folder that we fetch.
CONFIGS: dict[str, dict[str, Any]] = {
    "llada-8b-instruct": {
        "auto_map": {
            "AutoConfig": "configuration_llada.LLaDAConfig",
            "AutoModel": "modeling_llada.LLaDAModelLM",
            "AutoModelForCausalLM": "modeling_llada.LLaDAModelLM",
            "AutoModelForMaskedLM": "modeling_llada.LLaDAModelLM",
        },
        "transformers_version": "4.46.3",
    },
    "llada2.0-mini": {
        "auto_map": {
            "AutoConfig": "configuration_llada2_moe.LLaDA2MoeConfig",
            "AutoModel": "modeling_llada2_moe.LLaDA2MoeModel",
            "AutoModelForCausalLM": "modeling_llada2_moe.LLaDA2MoeModelLM",
        },
        "transformers_version": "4.52.3",
    },
    "mdlm-owt": {
        "auto_map": {
            "AutoConfig": "configuration_mdlm.MDLMConfig",
            "AutoModelForMaskedLM": "modeling_mdlm.MDLM",
        },
        "transformers_version": "4.38.2",
    },
}
TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "add_bos_token": False,
    "add_eos_token": False,
    "fast_tokenizer": True,
    "trust_remote_code": True,
    "merges_file": None,
}
DOCS = Path(__file__).parents[3] / "docs" / "users_packages.md"


@pytest.fixture(scope="module", params=CONFIGS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as published, with code beside it that must not run."""
    found = tmp_path_factory.mktemp("published") / request.param
    write_tiny_model(request.param, found, islice(training_pairs(0), 2000))
    for name, more in (("config.json", CONFIGS[request.param]), ("tokenizer_config.json", TOKENIZER)):
        fields = json.loads((found / name).read_text())
        (found / name).write_text(json.dumps({**fields, **more}))
    for module in {place.partition(".")[0] for place in CONFIGS[request.param]["auto_map"].values()}:
        (found / f"{module}.py").write_text("raise SystemExit('remote code ran')\n")
    return found


def test_model_and_tokenizer_are_those_of_our_own_loading(folder: Path) -> None:
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ours, our_tokenizer = load_model(folder, dtype=None)
    assert type(model) is type(ours)
    assert type(AutoConfig.from_pretrained(folder)) is type(ours.config)
    ids = tokenizer("def add(a, b):\n    return a + b\n")["input_ids"]
    assert ids == our_tokenizer("def add(a, b):\n    return a + b\n")["input_ids"]
    chat = [{"role": "user", "content": "Add."}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == our_tokenizer.apply_chat_template(
        chat, tokenize=False
    )
    with torch.no_grad():
        inputs = torch.tensor([ids])
        assert torch.equal(model.eval()(input_ids=inputs).logits, ours(input_ids=inputs).logits)


@pytest.mark.parametrize(
    "imports",
    [
        "import xpflow.models\nassert not {'torch', 'transformers'} & set(sys.modules)\nimport transformers",
        pytest.param(
            "import xpflow.models, transformers\ntransformers.AutoModelForMaskedLM", marks=pytest.mark.long
        ),
        "import transformers\ntransformers.AutoModelForMaskedLM\nimport xpflow.models",
        pytest.param(
            "import transformers\ntransformers.AutoTokenizer\nimport xpflow.models", marks=pytest.mark.long
        ),
        pytest.param("import xpflow.models.llada\nimport transformers", marks=pytest.mark.long),
        "import xpflow.models.llada2\nimport transformers",
    ],
)
def test_the_order_of_the_imports_does_not_matter(imports: str) -> None:
    code = f"""import sys
{imports}
for name in ("llada", "llada2_moe", "mdlm", "Dream"):
    config = transformers.AutoConfig.for_model(name)
    for auto in ("AutoModel", "AutoModelForMaskedLM", "AutoModelForCausalLM"):
        assert type(config) in getattr(transformers, auto)._model_mapping.keys(), (name, auto)
import inspect, transformers.models.auto.modeling_auto as auto
assert "AutoModel" in inspect.getsource(auto)
assert not [one for one in sys.meta_path if "xpflow" in type(one).__module__]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_example_of_the_page_runs(folder: Path, tmp_path: Path) -> None:
    [code] = re.findall(r'```python title="auto.py"\n(.*?)```', DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "auto.py").write_text(code.replace("FOLDER", str(folder)))
    done = subprocess.run(
        [sys.executable, "auto.py"],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert xpflow.models.__doc__ is not None
