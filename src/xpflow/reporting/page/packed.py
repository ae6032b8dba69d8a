"""What a page carries inside: data as text that cannot end its element, and scripts by their hash.

Data of any size is JSON, compressed and in base 64; the browser unpacks it by itself (DecompressionStream).
The page's policy names every script by its SHA-256, so that no other one can run, wherever it came from, and
forbids every request.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from xpflow.errors import ArtifactError


def packed(text: str) -> str:
    """Return a text compressed and in base 64: the same bytes each time."""
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def json_text(value: Any) -> str:
    """Return JSON in ASCII without `<`, `>` and `&`: no text in it is markup, or ends its element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def packed_json(value: Any) -> str:
    """Return a value as packed JSON."""
    return packed(json_text(value))


def script_text(name: str, text: str) -> str:
    """Return a script that may stand between tags; ArtifactError where it would end its element."""
    if "</script" in text.lower() or "<!--" in text:
        raise ArtifactError(f"{name} would end its script element", hint="write it as '<\\/script'")
    return text


def policy(scripts: Iterable[str]) -> str:
    """Return the page's content security policy: these scripts and nothing else, no request of any kind."""
    hashes = " ".join(f"'sha256-{_hash(text)}'" for text in scripts)
    rules = {
        "default-src": "'none'",
        "script-src": hashes or "'none'",
        "style-src": "'unsafe-inline'",  # the plots set their own
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
