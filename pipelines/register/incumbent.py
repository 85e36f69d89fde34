"""The champion that a candidate would replace: compared with it on the same test rows before anything is promoted."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.evaluation.estimates import to_json_value
from models.registry.bundle import load_bundle
from models.registry.gates import IncumbentEvidence
from models.registry.mlflow_registry import fetch_bundle
from pipelines.register.comparison import (
    SCORED_ANEW,
    Comparison,
    compare_predictions,
    held_out_predictions,
    kind_in_words,
    run_of_bundle,
    with_predictions_of,
)
from pipelines.runs.publish import read_parquet

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from models.registry.bundle import Bundle
    from models.registry.mlflow_client import Registry
    from models.registry.promotion_ledger import LedgerEntry
    from pipelines.runs.stages import Place


@dataclass(frozen=True)
class Incumbent:
    """The champion that a candidate is measured against, as the ledger names it.

    ``is_rolled_back``: a person has put this champion in the place of the candidate.
    """

    entry: LedgerEntry
    is_rolled_back: bool

    def facts(self) -> dict[str, Any]:
        """Return what decides the comparison, as JSON values."""
        entry = self.entry
        return {
            "version": entry.version,
            "bundle_sha256": entry.bundle_sha256,
            "is_rolled_back": self.is_rolled_back,
        }


@dataclass(frozen=True)
class Measured:
    """What is known of an incumbent: its kind of model and the comparison, or why there is none."""

    kind: str | None = None
    comparison: Comparison | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Shelf:
    """Where the files of models are: training runs and features of a place, and the registry with its trusted key.

    ``is_out_of_time``: whether a model may be scored on test rows that it was not trained on.
    """

    place: Place
    registry: Registry
    public_key: Ed25519PublicKey
    matrix: Path
    is_out_of_time: bool


def measure_incumbent(incumbent: Incumbent, candidate_run: Path, shelf: Shelf) -> Measured:
    """Compare a candidate with the incumbent; what cannot be read or compared is a fault and no evidence.

    The test predictions of the incumbent's own training run come first. If that run is gone or was tested on other
    rows, and the profile tests out of time, the incumbent's bundle scores the candidate's test rows. Should it have
    been trained on some of them, that helps the incumbent and not the candidate.
    """
    bundle = None
    try:
        bundle = promoted_bundle(incumbent.entry, shelf.place, shelf.registry, shelf.public_key)
        comparison = _compared(incumbent.entry, bundle, candidate_run, shelf)
    except (ConfigurationRefused, IntegrityRefused, ValueError) as error:
        what = str(error).partition("; remedy: ")[0]
        return Measured(None if bundle is None else kind_in_words(bundle.model), fault=what)
    return Measured(kind_in_words(bundle.model), comparison)


def evidence_of(incumbent: Incumbent | None, measured: Measured) -> IncumbentEvidence:
    """Return what the gate reads."""
    if incumbent is None:
        return IncumbentEvidence()
    version, found = incumbent.entry.version, measured.comparison
    if incumbent.is_rolled_back:
        day = incumbent.entry.decided_at.date()
        fault = f"a person restored version {version} in its place on {day} ({incumbent.entry.reason})"
        return IncumbentEvidence(version, fault=fault)
    if found is None:
        return IncumbentEvidence(version, fault=f"version {version}: {measured.fault}")
    difference = next(one for one in found.differences if one.measure == "auc")
    return IncumbentEvidence(version, to_json_value(difference), found.bad)


def change_document(incumbent: Incumbent | None, measured: Measured) -> dict[str, Any] | None:
    """Return what is known of the champion before, and how the candidate compares with it, as JSON values."""
    if incumbent is None:
        return None
    found = measured.comparison
    document: dict[str, Any] = {**incumbent.facts(), "kind": measured.kind, "fault": measured.fault, "compared": None}
    if found is not None:
        document["compared"] = {
            "rows": found.rows,
            "bad": found.bad,
            "basis": found.basis,
            "auc": found.auc,
            "incumbent_auc": found.other_auc,
            "differences": to_json_value(found.differences),
        }
    return document


def _compared(entry: LedgerEntry, bundle: Bundle, candidate_run: Path, shelf: Shelf) -> Comparison:
    candidate = held_out_predictions(candidate_run)
    kept = run_of_bundle(shelf.place, entry.bundle_sha256)
    other_rows = "its training run is not kept"
    if kept is not None:
        try:
            return compare_predictions(candidate, held_out_predictions(kept))
        except (ConfigurationRefused, IntegrityRefused) as error:
            other_rows = str(error)
    if not shelf.is_out_of_time:
        raise ConfigurationRefused(other_rows, "train both on the same rows")
    scored = with_predictions_of(bundle.model, candidate, read_parquet(shelf.matrix))
    return compare_predictions(candidate, scored, SCORED_ANEW)


def promoted_bundle(entry: LedgerEntry, place: Place, registry: Registry, public_key: Ed25519PublicKey) -> Bundle:
    """Return the verified bundle of a promotion: of its training run, else from the registry.

    Raises:
        ConfigurationRefused: the registry does not have the version.
        IntegrityRefused: the bundle is not the one that was promoted.
    """
    kept = run_of_bundle(place, entry.bundle_sha256)
    if kept is not None:
        return load_bundle(kept / "bundle", [public_key])
    return registered_bundle(entry, registry, public_key)


def registered_bundle(entry: LedgerEntry, registry: Registry, public_key: Ed25519PublicKey) -> Bundle:
    """Return the verified bundle of a promotion from the registry; raise what ``promoted_bundle`` raises."""
    with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
        address = f"models:/{entry.model_name}/{entry.version}"
        copied, _ = fetch_bundle(address, registry.tracking_uri, Path(folder) / "fetched")
        bundle = load_bundle(copied, [public_key])
    if bundle.digest != entry.bundle_sha256:
        raise IntegrityRefused(f"{address}: the registry holds another bundle than the one that was promoted")
    return bundle
