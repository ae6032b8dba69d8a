"""The configuration of a study: pydantic models of its blocks; defaults and descriptions live only here."""

from xpflow.study.config.base import Budget, budget_folder, budget_text, parse_budget
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.load import load_study, study_from_mapping
from xpflow.study.config.reporting import Claim
from xpflow.study.config.root import StudyConfig

__all__ = [
    "Arm",
    "Budget",
    "Claim",
    "StudyConfig",
    "budget_folder",
    "budget_text",
    "load_study",
    "parse_budget",
    "study_from_mapping",
]
