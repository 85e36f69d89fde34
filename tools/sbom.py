"""List what a model bundle consists of and was made with, in CycloneDX: python -m tools.sbom PROFILE OUT.

The list is written to ``OUT/PROFILE/sbom/``, beside the runs, because a run and a bundle hold only the files that their
manifests name. Equal bundles and locks have equal lists.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from data_contracts.digest import sha256_bytes
from pipelines.profiles import load_profile
from pipelines.runs.publish import atomic_write_bytes
from pipelines.runs.stages import PROJECT, Place, current_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCK: Final = Path("requirements.lock")
MANIFEST: Final = "manifest.json"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", flags=re.MULTILINE)
# What a manifest says about its model; other entries are lists.
_STATED: Final = ("code_version", "evidence", "feature_set", "feature_set_digest", "is_synthetic", "trained_until")


def bill_of_materials(bundle: Path, lock: str) -> Bom:
    """Return the components of a bundle, of this project and of every library that a lock pins."""
    data = (bundle / MANIFEST).read_bytes()
    manifest: dict[str, Any] = json.loads(data)
    model = _model(manifest, sha256_bytes(data))
    version = metadata.version(PROJECT)
    project = Component(
        name=PROJECT, version=version, type=ComponentType.APPLICATION, bom_ref=f"pkg:pypi/{PROJECT}@{version}"
    )
    libraries = list(_libraries(lock))
    bom = Bom(
        components=[project, *libraries],
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, sha256_bytes(data + lock.encode())),
    )
    bom.metadata.component = model
    bom.register_dependency(model, [project])
    bom.register_dependency(project, libraries)
    return bom


def _model(manifest: Mapping[str, Any], digest: str) -> Component:
    about = manifest["about"]
    name, version = about["model_name"], about["model_version"]
    stated = [Property(name=f"passport:{key}", value=str(about[key])) for key in _STATED if key in about]
    files = [
        Component(name=path, type=ComponentType.FILE, bom_ref=f"file:{path}", hashes=[_sha256(entry["sha256"])])
        for path, entry in sorted(manifest["files"].items())
    ]
    return Component(
        name=name,
        version=version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{name}@{version}",
        hashes=[_sha256(digest)],
        properties=stated,
        components=files,
    )


def _libraries(lock: str) -> Iterator[Component]:
    """Yield each pinned library once, also where a lock pins it once per platform."""
    for name, version in sorted(set(_PINNED.findall(lock))):
        address = PackageURL("pypi", None, name, version)
        yield Component(
            name=name, version=version, type=ComponentType.LIBRARY, purl=address, bom_ref=address.to_string()
        )


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def document(bom: Bom) -> bytes:
    """Return the list as CycloneDX 1.6 without a time, so that equal lists have equal bytes."""
    content: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    content["metadata"].pop("timestamp", None)
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def main(profile_name: str, out: Path) -> Path:
    """Write the list of the bundle that a profile's training run made; return the file."""
    place = Place(load_profile(profile_name).name, out)
    bundle = current_output(place, "train", "bundle")
    bom = bill_of_materials(bundle, LOCK.read_text(encoding="utf-8"))
    digest = sha256_bytes((bundle / MANIFEST).read_bytes())
    path = place.root / "sbom" / f"bundle-{digest[:16]}.cdx.json"
    atomic_write_bytes(path, document(bom))
    return path


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2])))
