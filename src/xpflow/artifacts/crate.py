"""A finished study for other tools: a Workflow Run RO-Crate, and a bill of materials.

The crate has the workflow, its files, and one action for each manifest. Profiles: RO-Crate 1.1, Workflow
RO-Crate 1.0, Process and Workflow Run Crate 0.5. It holds what a pack holds (no weights); files that only a
manifest lists, such as checkpoints, are named in it by hash. The bill of materials is CycloneDX.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import xpflow
from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.manifest import ENDING, Manifest, read_manifest
from xpflow.errors import ArtifactError


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


PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
LICENSE = "https://spdx.org/licenses/Apache-2.0"
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".json": "application/json",
    ".png": "image/png",
}


def write_crate(
    root: Path, files: Sequence[Path], out: Path, title: str, workflow: Path, snakemake: str
) -> int:
    """Write a crate of a study's files (relative to `root`) into a new folder; returns its number of actions.

    `workflow` is the Snakefile. Raises ArtifactError where `out` is there already or nothing has a manifest.
    """
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    if out.exists():
        raise ArtifactError(f"{out} is there already", hint="name a new folder")
    manifests = {path: read_manifest(root / path) for path in files if path.name.endswith(ENDING)}
    if not manifests:
        raise ArtifactError(f"no file below {root} has a manifest", hint="run the study with this version")
    crate: Any = ROCrate(version="1.1")
    crate.name, crate.description = title, f"A study of xpflow {xpflow.__version__}: {title}"
    crate.root_dataset["license"] = {"@id": LICENSE}
    crate.root_dataset["datePublished"] = max(one.ended for one in manifests.values())
    crate.root_dataset["conformsTo"] = [{"@id": url} for url, _, _ in PROFILES]
    for url, name, version in PROFILES:
        crate.add(ContextEntity(crate, url, {"@type": "CreativeWork", "name": name, "version": version}))
    main = crate.add_workflow(workflow, workflow.name, main=True, lang="snakemake", lang_version=snakemake)
    main["name"], main["license"] = "xpflow", {"@id": LICENSE}
    entities = {path.as_posix(): _file(crate, root, path) for path in files}
    steps = [_action(crate, path, one, entities) for path, one in sorted(manifests.items())]
    started, ended = min(m.started for m in manifests.values()), max(m.ended for m in manifests.values())
    whole = {
        "@type": "CreateAction",
        "name": f"Run of the study: {title}",
        "startTime": started,
        "endTime": ended,
        "instrument": {"@id": main.id},
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
        "result": [{"@id": entity.id} for entity in entities.values()],
    }
    action = crate.add(ContextEntity(crate, "#run", whole))
    crate.root_dataset["mentions"] = [{"@id": one.id} for one in (action, *steps)]
    crate.write(out)
    return 1 + len(steps)


def _file(crate: Any, root: Path, path: Path) -> Any:
    properties = {"name": path.name, "contentSize": str((root / path).stat().st_size)}
    if path.suffix in MEDIA_TYPES:
        properties["encodingFormat"] = MEDIA_TYPES[path.suffix]
    return crate.add_file(root / path, path.as_posix(), properties=properties)


def _action(crate: Any, path: Path, manifest: Manifest, entities: dict[str, Any]) -> Any:
    """Add what one manifest tells as an action: the command, its inputs and its results."""
    from rocrate.model import ContextEntity

    command = str(manifest.stage["command"])
    tool = f"#xpflow-{command}"
    if crate.dereference(tool) is None:
        facts = {"@type": "SoftwareApplication", "name": f"xpflow {command}"}
        facts["softwareVersion"] = str(manifest.package.get("version"))
        facts["url"] = "https://arxiv.org/abs/2606.29066"
        crate.add(ContextEntity(crate, tool, facts))
    made = [(path.parent / one.path).as_posix() for one in manifest.files]
    used = [(one.path, one.sha256) for one in manifest.inputs]
    fields = {
        "@type": "CreateAction",
        "name": " ".join(manifest.command),
        "startTime": manifest.started,
        "endTime": manifest.ended,
        "instrument": {"@id": tool},
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
        "object": [_named(crate, entities, name, sha256) for name, sha256 in used],
        "result": [
            _named(crate, entities, name, one.sha256) for name, one in zip(made, manifest.files, strict=True)
        ],
    }
    return crate.add(ContextEntity(crate, f"#{manifest.digest[:16]}", fields))


def _named(crate: Any, entities: dict[str, Any], name: str, sha256: str) -> dict[str, str]:
    """Return a reference to a file of the crate, or to a new entity for one that stayed behind."""
    from rocrate.model import ContextEntity

    if name in entities:
        return {"@id": entities[name].id}
    identifier = f"#sha256-{sha256}"
    if crate.dereference(identifier) is None:
        facts = {"@type": "CreativeWork", "name": name, "identifier": f"sha256:{sha256}"}
        crate.add(ContextEntity(crate, identifier, facts))
    return {"@id": identifier}
