"""What lies in a model folder: config.json, and the tensors by their files' headers, without their data.

Safetensors files: 8 bytes little-endian header length, a JSON header with dtype, shape and byte range of each
tensor, then the data. A file that is shorter than its header promises is found before anything is loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import json_once, read_text, sha256_file
from xpflow.errors import ArtifactError, ModelLoadError, nearest
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.keys import ALIGNMENT

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZER_FILES = ("vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json")
_LONGEST_HEADER = 100_000_000  # bytes, the format's own limit
ADAPTER = "adapter_config.json"
QUANTISED = ("I", "U", "BOOL", "F8", "F6_", "F4")  # how the names of such types start
_AGAIN = "the file is absent or cut short: fetch or make it again"


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies, what shape its file says it has, its bytes there, and its precision."""

    file: Path
    shape: tuple[int, ...]
    nbytes: int
    dtype: str = "F32"

    @property
    def numel(self) -> int:
        """Return the number of elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count


def find_tensors(folder: str | Path) -> dict[str, StoredTensor]:
    """List the tensors of a folder from its file headers: the index's shards, or the single weights file.

    Raises ModelLoadError for a file that is absent, truncated or no safetensors file, a wrong index, or a
    folder that holds weights twice, or an adapter beside them.
    """
    folder = Path(folder)
    if (folder / ADAPTER).exists():
        raise ModelLoadError(
            f"{folder / ADAPTER}: an adapter that would not be applied",
            hint="merge it into the weights first (peft: merge_and_unload), and load the merged folder",
        )
    if (folder / INDEX).exists():
        if (folder / WEIGHTS).exists():
            raise ModelLoadError(
                f"{folder}: weights twice, in {WEIGHTS} and in the shards of {INDEX}",
                hint="which ones are meant cannot be told: take the others out of the folder",
            )
        return _indexed_tensors(folder)
    if not (folder / WEIGHTS).exists():
        raise ModelLoadError(
            f"{folder}: neither {WEIGHTS} nor {INDEX}",
            hint="weights are read from safetensors files only, never from pickles (.bin, .pt)",
        )
    return _header(folder / WEIGHTS)


def read_fields(folder: str | Path) -> dict[str, Any]:
    """Read the fields of a folder's config.json that its architecture implements or that change nothing.

    Raises:
        ModelLoadError: no such file, no known `model_type`, or a key with what is not implemented.
    """
    path = Path(folder) / "config.json"
    fields = read_json(path)
    fields.pop(ALIGNMENT, None)  # nobody computes with it, and a configuration class need not know it
    kind = str(fields.get("model_type"))
    if kind not in set(ARCHITECTURES):  # names only: a folder of weights names no file of code
        raise ModelLoadError(f"{path}: unknown model_type {kind!r}", hint=nearest(kind, ARCHITECTURES))
    architecture = ARCHITECTURES[kind]
    if architecture.keys is None:
        return fields
    found = architecture.keys.checked(fields, path)
    rows = architecture.sizes(found).vocab
    for key, value in found.items():
        ids = value if isinstance(value, list) else [value]
        if key.endswith(("token_id", "token_ids")) and any(
            isinstance(one, int) and one >= rows for one in ids
        ):
            raise ModelLoadError(
                f"{path}: {key}={value!r}, but the vocabulary has {rows} entries",
                hint="config.json must be the one that was published with the weights",
            )
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises ModelLoadError."""
    if not path.exists():
        raise ModelLoadError(f"no such file: {path}", hint="is this a model folder?")
    try:
        found = json_once(read_text(path))
    except (ArtifactError, ValueError, RecursionError) as error:
        raise ModelLoadError(f"{path}: not a JSON object ({error})") from error
    if not isinstance(found, dict):
        raise ModelLoadError(f"{path}: not a JSON object, but {type(found).__name__}")
    return found


def tokenizer_sha256(folder: Path) -> str:
    """Return the SHA-256 of a folder's tokenizer.json; without one, of the JSON {name: hash} of its files."""
    if (folder / "tokenizer.json").exists():
        return sha256_file(folder / "tokenizer.json")
    files = sorted(file for name in TOKENIZER_FILES for file in folder.glob(name))
    hashes = {file.name: sha256_file(file) for file in files}
    return sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def _indexed_tensors(folder: Path) -> dict[str, StoredTensor]:
    try:
        weight_map = dict(read_json(folder / INDEX)["weight_map"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelLoadError(f"{folder / INDEX}: no table 'weight_map'") from error
    found: dict[str, StoredTensor] = {}
    for file_name in sorted(set(weight_map.values())):
        if Path(file_name).name != file_name:
            raise ModelLoadError(f"{folder / INDEX}: {file_name!r} is not a file of this folder")
        found |= _header(folder / file_name)
    for name, file_name in weight_map.items():
        if name not in found or found[name].file.name != file_name:
            raise ModelLoadError(f"{folder / file_name}: missing tensor {name}, which {INDEX} places there")
    return found


def _header(file: Path) -> dict[str, StoredTensor]:
    try:
        start, fields = _read_header(file)
        fields.pop("__metadata__", None)
        ranges = {name: tuple(map(int, entry["data_offsets"])) for name, entry in fields.items()}
        found = {
            name: StoredTensor(
                file,
                tuple(map(int, entry["shape"])),
                ranges[name][1] - ranges[name][0],
                str(entry["dtype"]),
            )
            for name, entry in fields.items()
        }
    except FileNotFoundError as error:
        raise ModelLoadError(f"no such file: {file}", hint=_AGAIN) from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelLoadError(f"{file}: no safetensors header ({error})", hint=_AGAIN) from error
    promised, size = start + max((end for _, end in ranges.values()), default=0), file.stat().st_size
    if size != promised:
        what = "truncated" if size < promised else "too long"
        raise ModelLoadError(
            f"{file}: {what} shard: {size} bytes, but its header promises {promised}", hint=_AGAIN
        )
    return found


def _read_header(file: Path) -> tuple[int, dict[str, Any]]:
    """Return where the data starts, and the header."""
    with open(file, "rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"it would be {length} bytes long")
        text = opened.read(length)
    if len(text) < length:
        raise ValueError(f"{len(text)} of its {length} bytes")
    return 8 + length, dict(json.loads(text))
