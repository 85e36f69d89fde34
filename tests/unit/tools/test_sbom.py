"""The list of components names the model with its digest, and every library that the lock pins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from data_contracts.digest import sha256_file
from pipelines.runs.stages import Place
from tests.factories.published import publish, record
from tests.factories.scoring import META, write_small_bundle

pytest.importorskip("cyclonedx", reason="the components are listed with cyclonedx-python-lib: make setup-test")

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools import sbom

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def listed(tmp_path: Path) -> tuple[dict[str, Any], Path]:
    """Return the list of a small bundle, and the bundle."""
    place = Place("demo", tmp_path)
    train = publish(place, "train")
    write_small_bundle(train / "bundle")
    record(train)
    with mock.patch.object(sbom, "LOCK", CHECKOUT / "requirements.lock"):
        first, second = sbom.main("demo", tmp_path), sbom.main("demo", tmp_path)
    assert first == second
    return json.loads(first.read_bytes()), train / "bundle"


def test_the_model_is_a_component_with_the_digest_of_its_bundle(listed: tuple[dict[str, Any], Path]) -> None:
    found, bundle = listed
    model = found["metadata"]["component"]
    digest = sha256_file(bundle / "manifest.json")
    assert (model["type"], model["name"], model["version"]) == (
        "machine-learning-model",
        META.model_name,
        META.model_version,
    )
    assert model["hashes"] == [{"alg": "SHA-256", "content": digest}]
    files = {one["name"]: one["hashes"][0]["content"] for one in model["components"]}
    assert files["model.json"] == sha256_file(bundle / "model.json")
    assert set(files) == {
        path.relative_to(bundle).as_posix()
        for path in bundle.rglob("*")
        if path.is_file() and not path.name.startswith("manifest.")
    }


def test_every_library_of_the_lock_is_listed_and_the_model_depends_on_them(
    listed: tuple[dict[str, Any], Path],
) -> None:
    found, _ = listed
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found)) is None
    purls = {one["purl"]: one["bom-ref"] for one in found["components"] if "purl" in one}
    pinned = [line for line in (CHECKOUT / "requirements.lock").read_text("utf-8").splitlines() if "==" in line[:80]]
    assert len(purls) >= len([line for line in pinned if line[:1].isalnum()]) - 5
    assert any(purl.startswith("pkg:pypi/lightgbm@") for purl in purls)
    depends = {one["ref"]: one.get("dependsOn", []) for one in found["dependencies"]}
    (project,) = depends[found["metadata"]["component"]["bom-ref"]]
    assert set(depends[project]) == set(purls.values())


def test_equal_bundles_have_equal_lists_without_a_time(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "one")
    write_small_bundle(tmp_path / "two")
    one, two = (sbom.document(sbom.bill_of_materials(tmp_path / name, "numpy==2.2.0\n")) for name in ("one", "two"))
    assert one == two
    assert b"timestamp" not in one
    other = sbom.document(sbom.bill_of_materials(tmp_path / "one", "numpy==2.2.1\n"))
    assert json.loads(other)["serialNumber"] != json.loads(one)["serialNumber"]
