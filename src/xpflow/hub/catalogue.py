"""The hub repositories that a study may need, each at one pinned commit.

`sha256` holds the hashes that are known before anything is fetched; the others are recorded by the first
fetch (see `xpflow.hub.fetch`). No torch here: the workflow reads this file whenever it is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MBPP_ID = "google-research-datasets/mbpp"
PERSONAS_ID = "allenai/tulu-3-sft-personas-code"
# Weights as safetensors only: never a pickle, never code.
MODEL_FILES = ("*.safetensors", "*.json", "tokenizer*", "*.jinja", "*.txt", "*.model")
DATA_FILES = ("*.parquet", "*.md")


@dataclass(frozen=True, slots=True)
class HubRepo:
    """A repository at a pinned commit; `name` is the short name that studies and files use."""

    name: str
    hub_id: str
    revision: str
    kind: Literal["model", "dataset"] = "model"
    about: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return the file patterns that are fetched."""
        return MODEL_FILES if self.kind == "model" else DATA_FILES

    @property
    def lock(self) -> str:
        """Return the file name of its lock: another revision has another lock."""
        return f"{self.name}@{self.revision[:12]}.json"


HUB_MODELS: dict[str, HubRepo] = {
    entry.name: entry
    for entry in (
        HubRepo(
            "llada-8b-instruct",
            "GSAI-ML/LLaDA-8B-Instruct",
            "08b83a6feb34df1a6011b80c3c00c7563e963b07",
            about="LLaDA 8B Instruct, as published",
            sha256={
                "config.json": "5f99fefe855fdb5100bb6cadb57bdb09fae723ad54811f95c00ecacf29d58a6a",
                "tokenizer.json": "071eb20fe7bd601550b1b7838ff696d6c93b88f51257f753303d3df23163c381",
                "model.safetensors.index.json": (
                    "28b4ec27206e42e7ade630450e6ce618bd197acf34d35120e8e86d2bb910a408"
                ),
            },
        ),
        HubRepo(
            "llada2.0-mini",
            "inclusionAI/LLaDA2.0-mini",
            "dad945cac317da394b390f82c7b40691d8a881ed",
            about="LLaDA2.0 mini, 16 B parameters, as published",
            sha256={
                "tokenizer.json": "0a1db22fe3dfb28f9b2be6d87f472af371b50235d7f5366ecac14b52ff8c002b",
            },
        ),
    )
}

MBPP_SHA256 = {
    "full/test-00000-of-00001.parquet": "566fd53060ffba5766dace1d1e2f4c38906781526de222b0dfbdbc325b696c77",
    "full/validation-00000-of-00001.parquet": (
        "3f0ec060987432d99fe8fb409d31e6c67445b208a01741c5583517c80a10fe80"
    ),
    "README.md": "6377d5c76ba46b9e650daa6d5eb592e671c9b15586e39f23f50ed9bf2ac54cf6",
}


def hub_model(name: str) -> HubRepo | None:
    """Return the published model of a short name or a hub id, or None."""
    return HUB_MODELS.get(name) or {entry.hub_id: entry for entry in HUB_MODELS.values()}.get(name)


def mbpp(revision: str) -> HubRepo:
    """Return MBPP's repository at a revision."""
    return HubRepo("mbpp", MBPP_ID, revision, "dataset", "MBPP, 974 tasks", _pins_of_mbpp(revision))


def personas(revision: str) -> HubRepo:
    """Return the repository of the Tulu 3 persona prompts at a revision."""
    return HubRepo("tulu3-personas", PERSONAS_ID, revision, "dataset", "Tulu 3 persona code prompts")


def _pins_of_mbpp(revision: str) -> Mapping[str, str]:
    return MBPP_SHA256 if revision == "4bb6404fdc6cacfda99d4ac4205087b89d32030c" else {}
