"""Tables read by `datasets`: the rows are those of the file, whatever its name, without network or cache."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from xpflow.errors import DataError, HubError
from xpflow.hub import repo as hub_repo
from xpflow.hub.repo import HubRepo, read_parquet
from xpflow.hub.tables import is_table, parquet_rows, read_rows, source_files

# In the published layouts, with what a reader could get wrong: nulls, empty lists, dates, line ends, order.
MBPP = [
    {
        "task_id": n,
        "text": f"Return {n}.\r\n",
        "code": "def f():\n\treturn '2026-01-31'",
        "test_setup_code": "",
        "test_list": [f"assert f() == {n}", "2026-01-31"][: n % 3],
        "challenge_test_list": [],
    }
    for n in range(1, 2500)
]
TURNS = [{"content": "x", "role": "user"}, {"content": None, "role": "assistant"}]
PERSONAS = [
    {"id": "a", "prompt": "x ≤ 1 😀", "messages": TURNS},
    {"id": "b", "prompt": "", "messages": []},
    {"id": "c", "prompt": "2026-01-31", "messages": None},
]
TIME = datetime.datetime(2026, 1, 31, 1, 2, 3, 4)
OTHERS = [{"f": 0.1, "i": 2**62, "b": b"\x00\xff", "t": TIME, "n": {"z": 1, "a": [[1], []]}}]
ROWS = {"mbpp": MBPP, "personas": PERSONAS, "others": OTHERS}


def table(rows: list[dict[str, Any]], file: Path, **options: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), file, **options)
    return file


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("group", [1000, 1_000_000])
def test_rows_are_bit_for_bit_those_that_pyarrow_reads(name: str, group: int, tmp_path: Path) -> None:
    file = table(ROWS[name], tmp_path / "a.parquet", row_group_size=group)
    found = read_rows(file)
    assert found == ROWS[name] == parquet.read_table(file).to_pylist()
    assert [list(row) for row in found] == [list(row) for row in ROWS[name]]
    assert repr(found) == repr(ROWS[name])


@pytest.mark.parametrize("kind", ["Sequence", "List"])
def test_features_that_a_file_names_do_not_turn_its_lists_into_other_things(
    kind: str, tmp_path: Path
) -> None:
    """Files of older versions of datasets say Sequence of what is a list of structs."""
    file = table(PERSONAS, tmp_path / "a.parquet")
    turn = {"content": {"dtype": "string", "_type": "Value"}, "role": {"dtype": "string", "_type": "Value"}}
    text = {"dtype": "string", "_type": "Value"}
    messages: Any = [turn] if kind == "Sequence" else {"feature": turn, "_type": "List"}
    features = {"id": text, "prompt": text, "messages": messages}
    whole = parquet.read_table(file)
    said = json.dumps({"info": {"features": features}})
    parquet.write_table(whole.replace_schema_metadata({"huggingface": said}), file)
    assert read_rows(file) == PERSONAS


@pytest.mark.parametrize("name", ["[1]*?.parquet", "data", "a::b", "train.json.gz", "ü b.csv"])
def test_a_name_is_a_name_and_no_pattern(name: str, tmp_path: Path) -> None:
    table([{"text": "wrong"}], tmp_path / "1x.parquet")
    assert read_rows(table(MBPP[:3], tmp_path / "[12]" / name)) == MBPP[:3]


def test_several_files_come_one_after_the_other_and_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    files = [table(MBPP[n : n + 2], tmp_path / f"{n}.parquet") for n in (4, 0, 2)]
    assert parquet_rows(files) == MBPP[4:6] + MBPP[0:4]
    stat = files[0].stat()
    table(MBPP[6:8], files[0])
    os.utime(files[0], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert parquet_rows(files[:1]) == MBPP[6:8]


@pytest.mark.parametrize("name", ROWS)
def test_arrow_folders_are_read_with_all_their_splits(name: str, tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    rows = ROWS[name]
    whole = Dataset(pa.Table.from_pylist(rows))
    whole.save_to_disk(tmp_path / "one")
    parts = {"test": rows[:1], "a": rows[1:]} if rows[1:] else {"test": rows}
    halves = DatasetDict({name: Dataset(pa.Table.from_pylist(part)) for name, part in parts.items()})
    halves.save_to_disk(tmp_path / "dict")
    assert is_table(tmp_path / "one")
    assert read_rows(tmp_path / "one") == read_rows(tmp_path / "dict") == rows
    names = {file.name for file in source_files(tmp_path / "dict")}
    assert {"dataset_dict.json", "state.json", "data-00000-of-00001.arrow"} <= names


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_json_lines_stay_text_where_datasets_would_guess(pack: Any, tmp_path: Path) -> None:
    """The library makes a datetime of the first field, which is why JSON lines are ours."""
    rows = [{"answer": "2026-01-31", "task_id": 1}, {"answer": "2026-02-01", "other": "x"}]
    file = tmp_path / "a.jsonl"
    file.write_bytes(pack("".join(json.dumps(row) + "\n" for row in rows).encode()))
    assert read_rows(file) == rows


def test_what_is_no_table_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set.*\n.*save_to_disk"):
        read_rows(tmp_path)
    file = table(MBPP, tmp_path / "a.parquet")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as a table"):
        read_rows(file)
    (tmp_path / "dataset_dict.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_rows(tmp_path)


def test_reading_asks_no_network_leaves_no_cache_and_imports_nothing_before(tmp_path: Path) -> None:
    file = table(MBPP[:3], tmp_path / "a.parquet")
    code = f"""
import socket, sys
def refused(*_, **__): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refused
from pathlib import Path
import xpflow.cli, xpflow.problems, xpflow.cli.problems
assert not {{"datasets", "pandas", "torch"}} & set(sys.modules), "imported before it is needed"
from xpflow.hub.tables import read_rows
assert len(read_rows(Path({str(file)!r}))) == 3
"""
    places = {"HF_HOME": str(tmp_path / "hf"), "HOME": str(tmp_path), "TMPDIR": str(tmp_path / "tmp")}
    environment = {**os.environ, **places}
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()] == []
    assert [path for path in (tmp_path / "hf").rglob("*") if path.is_file()] == []


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A snapshot as the hub client keeps it: a link to a blob that is named by its SHA-256."""
    data = table(MBPP[:3], tmp_path / "new").read_bytes()
    blob = tmp_path / "blobs" / hashlib.sha256(data).hexdigest()
    blob.parent.mkdir()
    blob.write_bytes(data)
    link = tmp_path / "snapshot" / "full" / "test-0.parquet"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    monkeypatch.setattr(hub_repo, "local_snapshot", lambda repo: tmp_path / "snapshot")
    monkeypatch.setattr(socket.socket, "connect", None)
    return link


def test_a_fetched_file_is_hashed_before_it_is_read(fetched: Path, tmp_path: Path) -> None:
    repo = HubRepo("m", "o/m", "0" * 40, "dataset")
    assert read_parquet(repo, "full/*.parquet") == MBPP[:3]
    table(MBPP[3:6], fetched.resolve())
    with pytest.raises(HubError, match=r"full/test-0\.parquet: the cached file has sha256 .*\n.*again"):
        read_parquet(repo, "full/*.parquet")


def test_the_pin_of_the_package_counts_for_files_that_no_hash_names(fetched: Path, tmp_path: Path) -> None:
    data = fetched.read_bytes()
    fetched.unlink()
    fetched.write_bytes(data)
    repo = HubRepo("m", "o/m", "0" * 40, "dataset")
    good = {"full/test-0.parquet": hashlib.sha256(data).hexdigest()}
    assert read_parquet(replace(repo, sha256=good), "full/*.parquet") == MBPP[:3]
    with pytest.raises(HubError, match="the cached file has sha256"):
        read_parquet(replace(repo, sha256=dict.fromkeys(good, "1" * 64)), "full/*")
