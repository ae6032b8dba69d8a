"""Where the judge of samples is published; a study asks this, without loading it."""

from __future__ import annotations

from xpflow.hub.repo import HubRepo

# The commit is one that public records of several projects agree on.
GPT2_LARGE = HubRepo(
    "gpt2-large",
    "openai-community/gpt2-large",
    "32b71b12589c2f8d625668d2335a01cac3249519",
    about="GPT-2 large, the judge of samples",
    files=("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
)
