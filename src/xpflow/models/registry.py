"""Names of models: those that ship with the package, and the published ones at a pinned revision.

Published weights are never fetched from here and never from a moving branch: they are found in the local hub
cache at the pinned revision, or the error says how to put them there. No torch: the workflow reads this file
whenever it is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpflow.errors import ModelLoadError, nearest
from xpflow.hub.repo import HubRepo, local_snapshot
from xpflow.models.stored import read_json

SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that has a name: its architecture, and where it was published (None: it ships with us).

    base: the shipped model whose weights it was trained from; none: random ones, or we do not know.
    fields: of its config.json, where they differ from the architecture's micro model.
    tokenizer: where its tokenizer was published, if not with the weights.
    """

    name: str
    about: str
    architecture: str
    repo: HubRepo | None = None
    base: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: HubRepo | None = None

    @property
    def shipped_folder(self) -> Path:
        """Return where the weights of a shipped model lie."""
        return SHIPPED / self.name


LLADA_8B = HubRepo(
    "llada-8b-instruct",
    "GSAI-ML/LLaDA-8B-Instruct",
    "08b83a6feb34df1a6011b80c3c00c7563e963b07",
    about="LLaDA 8B Instruct, as published",
    sha256={
        "config.json": "5f99fefe855fdb5100bb6cadb57bdb09fae723ad54811f95c00ecacf29d58a6a",
        "tokenizer.json": "071eb20fe7bd601550b1b7838ff696d6c93b88f51257f753303d3df23163c381",
        "model.safetensors.index.json": "28b4ec27206e42e7ade630450e6ce618bd197acf34d35120e8e86d2bb910a408",
    },
)
LLADA2_MINI = HubRepo(
    "llada2.0-mini",
    "inclusionAI/LLaDA2.0-mini",
    "dad945cac317da394b390f82c7b40691d8a881ed",
    about="LLaDA2.0 mini, 16 B parameters, as published",
    sha256={"tokenizer.json": "0a1db22fe3dfb28f9b2be6d87f472af371b50235d7f5366ecac14b52ff8c002b"},
)
# Commits and hashes of MDLM and GPT-2 are those that public records of several projects agree on.
MDLM_OWT = HubRepo(
    "mdlm-owt",
    "kuleshov-group/mdlm-owt",
    "d0958fa851335ece6c15260ce0025f030673c0fb",
    about="MDLM, 170 M parameters, OpenWebText, as published",
    sha256={"model.safetensors": "47149e73f7552f39ea9776dbe74d925d25237bcf2ed2e2ec03cdff9d51c82aa4"},
)
GPT2_TOKENIZER = HubRepo(
    "gpt2-tokenizer",
    "openai-community/gpt2",
    "607a30d783dfa663caf39e06633721c8d4cfcd7e",
    about="GPT-2's tokenizer",
    files=("tokenizer.json", "tokenizer_config.json"),
)
# Dream's commits are those that public records of several projects agree on; none was fetched to be checked.
# The repositories have no tokenizer.json: see models/byte_pairs.py.
DREAM_7B = HubRepo(
    "dream-7b-instruct",
    "Dream-org/Dream-v0-Instruct-7B",
    "05334cb9faaf763692dcf9d8737c642be2b2a6ae",
    about="Dream 7B Instruct, as published",
)
DREAM_7B_BASE = HubRepo(
    "dream-7b-base",
    "Dream-org/Dream-v0-Base-7B",
    "6572adb5535263e4d1a337b56942ba48b6dee2a9",
    about="Dream 7B Base, as published",
)
DREAM_CODER_7B = HubRepo(
    "dream-coder-7b-instruct",
    "Dream-org/Dream-Coder-v0-Instruct-7B",
    "5d9e88c723af9045f362748b5284bdf43d9c501e",
    about="Dream-Coder 7B Instruct, as published",
)
ALIGNED = "the same, aligned for flow by the preserving loss; shipped"
FEW_STEP = "the same, trained for few forwards; shipped"
MIXED = "the same, trained on flow's mixed states; shipped"
MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry("llada-micro", "LLaDA, 1 M parameters, trained on MicroPy; shipped", "llada"),
        ModelEntry("llada2-micro", "LLaDA2, 1 M parameters, trained on MicroPy; shipped", "llada2_moe"),
        ModelEntry("llada-micro-aligned", ALIGNED, "llada", base="llada-micro"),
        ModelEntry("llada2-micro-aligned", ALIGNED, "llada2_moe", base="llada2-micro"),
        ModelEntry("llada-micro-few-step", FEW_STEP, "llada", base="llada-micro"),
        ModelEntry("llada-micro-mixed", MIXED, "llada", base="llada-micro"),
        ModelEntry(LLADA_8B.name, LLADA_8B.about, "llada", LLADA_8B),
        ModelEntry(LLADA2_MINI.name, LLADA2_MINI.about, "llada2_moe", LLADA2_MINI),
        *(
            ModelEntry(repo.name, repo.about, "Dream", repo)
            for repo in (DREAM_7B, DREAM_7B_BASE, DREAM_CODER_7B)
        ),
        ModelEntry(MDLM_OWT.name, MDLM_OWT.about, "mdlm", MDLM_OWT, tokenizer=GPT2_TOKENIZER),
    )
}
SHIPPED_NAMES = tuple(entry.name for entry in MODELS.values() if entry.repo is None)
MICRO_NAMES = tuple(name for name in SHIPPED_NAMES if MODELS[name].base is None)  # from random weights
# Models that can be pre-trained and do not ship: an entry moves to MODELS with its weights.
TRAINABLE: dict[str, ModelEntry] = {
    "llada-micro-l": ModelEntry(
        "llada-micro-l",
        "LLaDA, 2 M parameters, for MicroPy-L",
        "llada",
        fields={
            "d_model": 160,
            "n_layers": 6,
            "n_heads": 5,
            "n_kv_heads": 5,
            "mlp_hidden_size": 432,
            "init_std": 160**-0.5,
        },
    ),
    "llada-micro-s": ModelEntry("llada-micro-s", "LLaDA, 1 M parameters, for MicroSum", "llada"),
}
HUB_MODELS: dict[str, HubRepo] = {entry.name: entry.repo for entry in MODELS.values() if entry.repo}


def model_entry(name: str) -> ModelEntry | None:
    """Return the entry of a name or a hub id, or None."""
    by_id = {entry.repo.hub_id: entry for entry in MODELS.values() if entry.repo}
    return MODELS.get(name) or by_id.get(name)


def hub_model(name: str) -> HubRepo | None:
    """Return the published model of a short name or a hub id, or None."""
    entry = model_entry(name)
    return entry.repo if entry else None


def architecture_name(name_or_dir: str | Path) -> str | None:
    """Return the architecture of a named model, or the one in a folder's config.json.

    None where the name is not known and there is no such folder here. Loads nothing.
    """
    entry = model_entry(str(name_or_dir))
    if entry is not None:
        return entry.architecture
    config = Path(name_or_dir) / "config.json"
    found = read_json(config).get("model_type") if config.is_file() else None
    return found if isinstance(found, str) else None


def model_folder(name_or_dir: str | Path) -> Path:
    """Return the folder of a named model or the folder itself; a known name wins over a folder.

    Raises:
        ModelLoadError: it is neither, or shipped weights are not installed.
        HubError: a published model was not fetched.
    """
    entry = model_entry(str(name_or_dir))
    if entry is not None:
        return local_snapshot(entry.repo) if entry.repo else _installed(entry)
    if Path(name_or_dir).is_dir():
        return Path(name_or_dir)
    names = [*MODELS, *(repo.hub_id for repo in HUB_MODELS.values())]
    raise ModelLoadError(
        f"{str(name_or_dir)!r} is neither a known model nor a folder",
        hint=f"{nearest(str(name_or_dir), names)} Any other model: give its folder.",
    )


def tokenizer_folder(name_or_dir: str | Path) -> Path:
    """Return the folder of a model's tokenizer: that of its weights, unless it was published elsewhere.

    Raises:
        as `model_folder`.
    """
    entry = model_entry(str(name_or_dir))
    if entry is not None and entry.tokenizer is not None:
        return local_snapshot(entry.tokenizer)
    return model_folder(name_or_dir)


def _installed(entry: ModelEntry) -> Path:
    folder = entry.shipped_folder
    if not folder.is_dir():
        raise ModelLoadError(
            f"the shipped weights of {entry.name} are not installed (looked in {folder})",
            hint="reinstall xpflow, or train them again with the rule `pretrain`",
        )
    return folder
