"""A CycloneDX bill of materials: every Python package of the environment, by name and version."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

import xpflow
from xpflow.artifacts.io import atomic_write_text


def write_bill_of_materials(out: Path) -> int:
    """Write a CycloneDX 1.6 JSON file; returns the number of packages."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion
    from packageurl import PackageURL

    bom = Bom()
    bom.metadata.component = Component(
        name="xpflow", version=xpflow.__version__, type=ComponentType.APPLICATION, bom_ref="xpflow"
    )
    packages = {found.name: found.version for found in distributions() if found.name}
    packages.pop("xpflow", None)
    for name, version in sorted(packages.items()):
        url = PackageURL("pypi", name=name.lower().replace("_", "-"), version=version)
        library = ComponentType.LIBRARY
        bom.components.add(Component(name=name, version=version, type=library, purl=url, bom_ref=str(url)))
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)
    atomic_write_text(out, text + "\n")
    return len(packages)
