"""Files on disk: written whole or not at all, hashed, read back as rows."""

from xpflow.artifacts.io import (
    atomic_write_bytes,
    atomic_write_text,
    atomic_writer,
    read_jsonl,
    read_text,
    sha256_file,
    write_jsonl,
)

__all__ = [
    "atomic_write_bytes",
    "atomic_write_text",
    "atomic_writer",
    "read_jsonl",
    "read_text",
    "sha256_file",
    "write_jsonl",
]
