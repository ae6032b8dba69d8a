"""The last bits of a sample depend on what was decoded beside it: a replay decodes the same rows together."""

from __future__ import annotations

from typing import Any

import pytest

from xpflow.evaluation import decode_job
from xpflow.problems.benchmark import load_benchmark
from xpflow.study.config import study_from_mapping
from xpflow.study.rows import expand


def test_one_sample_is_decoded_in_the_batch_of_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_from_mapping(
        {
            "problems": {"benchmarks": [{"name": "humaneval", "limit": 5}]},
            "evaluation": {
                "batch_size": 2,
                "budgets": ["1/4"],
                "arms": [{"name": "mask", "decoder": "mask_prediction", "seeds": "first"}],
            },
        }
    )
    asked: list[list[str]] = []

    def decode(model: Any, read: Any, items: Any, settings: Any, *rest: Any, **more: Any) -> Any:
        names = [name for name, _ in items]
        prompts = [list(prompt) for _, prompt in items]
        together = decode_job.batches(prompts, settings.batch_size)
        asked.extend(sorted(names[row] for row in rows) for rows in together)
        return [{"task_id": name} for name in names], None

    monkeypatch.setattr(decode_job, "decode_samples", decode)
    decoder = decode_job.Decoder(study, "llada-micro", load_benchmark("humaneval", limit=5))
    row = expand(study)[0]
    decoder.samples(row, (1, 1))
    whole = asked.copy()
    assert [len(names) for names in whole] == [2, 2, 1]
    for names in whole:
        for name in names:
            asked.clear()
            assert decoder.sample(row, name)["task_id"] == name
            assert asked == [names]
