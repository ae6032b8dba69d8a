"""The rules that read answers, by name: to add one, a file that defines it and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.errors import ConfigError
from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.grading.extraction.rule import Extraction

EXTRACTIONS: Table[Extraction] = Table(
    kind="extraction rule",
    group="xpflow.extractions",
    own={
        "human-eval": "xpflow.grading.extraction.blocks:HUMAN_EVAL",
        "micropy-v1": "xpflow.grading.extraction.blocks:MICROPY_V1",
        "first-block-v1": "xpflow.grading.extraction.blocks:FIRST_BLOCK_V1",
        "markdown-v1": "xpflow.grading.extraction.markdown:MARKDOWN_V1",
        "opencompass-humaneval-v2": "xpflow.grading.extraction.opencompass:HUMANEVAL_V2",
        "opencompass-mbpp": "xpflow.grading.extraction.opencompass:MBPP",
        "lm-eval-humaneval-instruct": "xpflow.grading.extraction.harness:LM_EVAL_HUMANEVAL",
        "lm-eval-mbpp-instruct": "xpflow.grading.extraction.harness:LM_EVAL_MBPP",
        "evalplus-chat": "xpflow.grading.extraction.harness:EVALPLUS_CHAT",
        "final-answer": "xpflow.grading.extraction.answers:FINAL_ANSWER",
        "whole": "xpflow.grading.extraction.answers:WHOLE",
    },
    accepts="xpflow.grading.extraction.rule:Extraction",
    attribute="EXTRACTION",
    error=ConfigError,
)
