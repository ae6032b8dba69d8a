"""The configuration of a study: one pydantic model per block; defaults and descriptions live only here."""

from xpflow.config.block import Budget, budget_folder, budget_text, parse_budget
from xpflow.config.evaluation import Arm
from xpflow.config.expand import Row, aligned_runs, digest, expand, find_arm, policy_seeds, seeds_of
from xpflow.config.load import load_study, study_from_mapping
from xpflow.config.root import StudyConfig
from xpflow.config.study import Claim

__all__ = [
    "Arm",
    "Budget",
    "Claim",
    "Row",
    "StudyConfig",
    "aligned_runs",
    "budget_folder",
    "budget_text",
    "digest",
    "expand",
    "find_arm",
    "load_study",
    "parse_budget",
    "policy_seeds",
    "seeds_of",
    "study_from_mapping",
]
