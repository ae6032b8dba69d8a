"""The policies that ship, each a file with its card; made by config/policy.yaml and policy-unmasking.yaml."""

from __future__ import annotations

from pathlib import Path

SHIPPED = Path(__file__).parent / "shipped"
STEP_SIZES = "micro"  # the step-size policy: what the spec "shipped" means


def shipped_policies() -> dict[str, Path]:
    """Return the files of the shipped policies by name."""
    return {file.stem: file for file in sorted(SHIPPED.glob("*.safetensors"))}


def shipped_file(spec: str) -> Path | None:
    """Return the file of a shipped policy; None when the spec names none."""
    return shipped_policies().get(STEP_SIZES if spec == "shipped" else spec)
