"""A model as a signed folder of text files: written once, verified before anything reads it, replayed before use.

manifest.json manifest.sig      list of the files and its signature (see ``models.registry.sealed_folder``)
model.json                      features, encoding, weights, calibrator, scale, grades, file of each component
components/0.txt | 0.json …     LightGBM trees as text, linear components and scorecards as JSON
reasons.json reference.json     wording of reasons; the training population
golden.json                     rows with the model's results for them, bit for bit
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from data_contracts.errors import IntegrityRefused
from models.components.calibration import AffineCalibrator
from models.components.encoding import ModelFeature, encoded_columns
from models.components.gbm import LightGbmComponent
from models.components.linear import LinearComponent, LinearTable
from models.components.model import CreditModel
from models.components.oracle import by_lightgbm, uses_own_way, with_proven_trees
from models.components.scale import GradeScale, PointsScale
from models.components.scorecard import ScorecardComponent, ScorecardTable
from models.components.tree_text import refuse_unproven_direction
from models.explanation.reasons import ReasonDictionary, reason_dictionary
from models.explanation.reference import ReferencePopulation, describe_reference
from models.registry.sealed_folder import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from models.components.encoding import FloatArray
    from models.components.model import Component

log = logging.getLogger(__name__)

GOLDEN_ROWS: Final = 32
_OWN_WAY: Final = "byte_ranks_1"

Document = TypeVar("Document", bound=BaseModel)


class BundleMeta(BaseModel):
    """What a model is, what it was made from, and what its evidence is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_name: str
    model_version: str
    feature_set: str
    feature_set_digest: str
    contracts: tuple[str, ...]
    data_digests: dict[str, str]
    code_version: str
    evidence: str
    is_synthetic: bool
    performance_days: int
    trained_from: dt.date
    trained_until: dt.date
    valid_until: dt.date | None = None


class GoldenRows(BaseModel):
    """Inputs and outputs of a model; floats in hexadecimal so that no bit is lost, null = missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: tuple[tuple[str | None, ...], ...]
    log_odds: tuple[str, ...]
    probability: tuple[str, ...]
    base_points: int
    points: tuple[tuple[int, ...], ...]
    score: tuple[int, ...]


class BundleContents(NamedTuple):
    """The contents of a bundle, apart from its metadata."""

    model: CreditModel
    dictionary: ReasonDictionary
    reference: ReferencePopulation
    golden: GoldenRows


class Bundle(NamedTuple):
    """A verified bundle: the model, its wording, its population, its digest and the key that signed it."""

    model: CreditModel
    dictionary: ReasonDictionary
    reference: ReferencePopulation
    meta: BundleMeta
    golden: GoldenRows
    digest: str
    key_id: str


class _ComponentEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["lightgbm", "linear", "scorecard"]
    file: str
    weight: float = Field(ge=0, allow_inf_nan=False)
    # Written only where it says something, so that older bundles keep their bytes.
    proven: Literal["byte_ranks_1"] | None = Field(default=None, exclude_if=lambda proven: proven is None)


class _ModelDocument(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[ModelFeature, ...]
    components: tuple[_ComponentEntry, ...] = Field(min_length=1)
    calibrator: AffineCalibrator
    scale: PointsScale
    grades: GradeScale


def bundle_contents(model: CreditModel, X: FloatArray, y: npt.NDArray[np.integer]) -> BundleContents:
    """Build a bundle's contents from a model, its training rows ``X`` (n, p) and outcomes ``y`` (n,).

    Here LightGBM judges our own way through its trees; the bundle states for each booster whether it is proven.
    """
    model = with_proven_trees(model, X)
    return BundleContents(
        model=model,
        dictionary=reason_dictionary(model.features),
        reference=describe_reference(model, X, y),
        golden=golden_rows(model, golden_inputs(model, X)),
    )


def write_bundle(contents: BundleContents, meta: BundleMeta, signing_key: Ed25519PrivateKey, folder: Path) -> str:
    """Write a bundle to an empty or absent folder and return its digest; equal contents produce equal bytes.

    A model whose components do not prove its directions is refused here, before anyone signs it.
    """
    component_files = {f"components/{i}{_suffix(c)}": c for i, c in enumerate(contents.model.components)}
    documents: dict[str, BaseModel] = {
        "model.json": _model_document(contents.model, tuple(component_files)),
        "reasons.json": contents.dictionary,
        "reference.json": contents.reference,
        "golden.json": contents.golden,
    }
    files = {name: _json_bytes(document) for name, document in documents.items()}
    files |= {name: _component_bytes(component) for name, component in component_files.items()}
    _model(_document(_ModelDocument, files["model.json"], "model.json"), files, threads=1)
    return seal(folder, files, meta.model_dump(mode="json"), signing_key)


def load_bundle(folder: Path, trusted_keys: Iterable[Ed25519PublicKey], threads: int = 1) -> Bundle:
    """Load a bundle for scoring with ``threads`` threads.

    The order of the checks: signature and digests of everything; then the structure and directions of the components,
    read by our own code; only then LightGBM; last the golden rows, which must come out the same to the bit.

    Raises:
        IntegrityRefused: one of these checks failed.
    """
    unsealed = unseal(folder, trusted_keys)
    meta = _document(BundleMeta, json.dumps(unsealed.about).encode(), "manifest.json")
    document = _document(_ModelDocument, _file(unsealed.files, "model.json"), "model.json")
    _refuse_unknown_files(document, unsealed.files)
    model = _model(document, unsealed.files, threads)
    bundle = Bundle(
        model=model,
        dictionary=_document(ReasonDictionary, _file(unsealed.files, "reasons.json"), "reasons.json"),
        reference=_document(ReferencePopulation, _file(unsealed.files, "reference.json"), "reference.json"),
        meta=meta,
        golden=_document(GoldenRows, _file(unsealed.files, "golden.json"), "golden.json"),
        digest=unsealed.digest,
        key_id=unsealed.key_id,
    )
    _refuse_inconsistent(bundle)
    return _replayed(bundle)


def golden_inputs(model: CreditModel, X: FloatArray) -> FloatArray:
    """Select rows (32, p) that cover a model: spread over the scores of ``X``, each end, and one with all missing."""
    scorable = X[~model.missing_required(X)]
    order = np.argsort(model.log_odds(scorable), kind="stable")
    spread = order[np.linspace(0, len(order) - 1, GOLDEN_ROWS - 3).round().astype(np.int64)]
    lowest = np.asarray([feature.lower for feature in model.features])
    highest = np.asarray([feature.upper for feature in model.features])
    free = np.asarray([feature.treatment == "free" for feature in model.features])
    nothing_known = np.where(free, lowest, np.nan)
    return np.vstack([scorable[spread], lowest, highest, nothing_known])


def golden_rows(model: CreditModel, inputs: FloatArray) -> GoldenRows:
    """Return inputs (n, p) with the model's results for them."""
    issued = model.issue_points(model.contributions(inputs))
    return GoldenRows(
        inputs=tuple(tuple(None if np.isnan(v) else float(v).hex() for v in row) for row in inputs),
        log_odds=tuple(float(v).hex() for v in model.log_odds(inputs)),
        probability=tuple(float(v).hex() for v in model.probability(inputs)),
        base_points=issued.base_points,
        points=tuple(tuple(row) for row in issued.points.tolist()),
        score=tuple(issued.score.tolist()),
    )


def refuse_changed_golden_rows(model: CreditModel, golden: GoldenRows) -> None:
    """Refuse a model that does not reproduce the golden rows to the bit."""
    inputs = np.asarray([[np.nan if v is None else float.fromhex(v) for v in row] for row in golden.inputs])
    if inputs.ndim != 2 or inputs.shape[1] != len(model.features):
        raise IntegrityRefused("bundle refused: its golden rows do not have the model's columns")
    if golden_rows(model, inputs) != golden:
        raise IntegrityRefused(
            "bundle refused: its golden rows are not reproduced; remedy: use the locked library versions"
        )


def _refuse_inconsistent(bundle: Bundle) -> None:
    names = bundle.model.feature_names
    if tuple(entry.feature for entry in bundle.dictionary.entries) != names:
        raise IntegrityRefused("bundle refused: its reasons do not belong to its features")
    if tuple(feature.name for feature in bundle.reference.features) != names:
        raise IntegrityRefused("bundle refused: its reference population has other features")
    if not bundle.golden.inputs:
        raise IntegrityRefused("bundle refused: it has no golden rows")


def _replayed(bundle: Bundle) -> Bundle:
    """Return the bundle if its model reproduces the golden rows; by LightGBM alone if our own way does not."""
    try:
        refuse_changed_golden_rows(bundle.model, bundle.golden)
    except IntegrityRefused:
        if not uses_own_way(bundle.model):
            raise
        bundle = bundle._replace(model=by_lightgbm(bundle.model))
        refuse_changed_golden_rows(bundle.model, bundle.golden)
        log.warning("the golden rows come out by LightGBM alone, so the fast way through the trees is not used")
    return bundle


def _refuse_unknown_files(document: _ModelDocument, files: Mapping[str, bytes]) -> None:
    known = {"model.json", "reasons.json", "reference.json", "golden.json"}
    unknown = sorted(set(files) - known - {entry.file for entry in document.components})
    if unknown:
        raise IntegrityRefused(f"bundle refused: {unknown[0]} is not a file of this bundle format")


def _suffix(component: Component) -> str:
    return ".txt" if isinstance(component, LightGbmComponent) else ".json"


def _component_bytes(component: Component) -> bytes:
    if isinstance(component, LightGbmComponent):
        return component.text.encode("ascii")
    if isinstance(component, LinearComponent | ScorecardComponent):
        return _json_bytes(component.table)
    raise TypeError(f"a component of kind {component.kind} has no file format")


def _json_bytes(document: BaseModel) -> bytes:
    content = document.model_dump(mode="json")
    return json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"


def _model_document(model: CreditModel, files: tuple[str, ...]) -> _ModelDocument:
    entries = zip(model.components, files, model.weights, strict=True)
    return _ModelDocument.model_validate(
        {
            "features": model.features,
            "components": [
                {"kind": c.kind, "file": file, "weight": weight, "proven": _proven(c)} for c, file, weight in entries
            ],
            "calibrator": model.calibrator,
            "scale": model.scale,
            "grades": model.grades,
        }
    )


def _proven(component: Component) -> str | None:
    return _OWN_WAY if isinstance(component, LightGbmComponent) and component.proven else None


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise IntegrityRefused(f"bundle refused: it has no {name}")
    return files[name]


def _document(kind: type[Document], data: bytes, name: str) -> Document:
    try:
        return kind.model_validate_json(data)
    except ValueError as error:  # also of pydantic
        raise IntegrityRefused(f"bundle refused: {name} cannot be read by this version of the program") from error


def _model(document: _ModelDocument, files: Mapping[str, bytes], threads: int) -> CreditModel:
    directions = tuple(direction for _, direction in encoded_columns(document.features))
    return CreditModel(
        features=document.features,
        components=tuple(_component(entry, files, directions, threads) for entry in document.components),
        weights=tuple(entry.weight for entry in document.components),
        calibrator=document.calibrator,
        scale=document.scale,
        grades=document.grades,
    )


def _component(
    entry: _ComponentEntry, files: Mapping[str, bytes], directions: tuple[int, ...], threads: int
) -> Component:
    data = _file(files, entry.file)
    if entry.kind == "scorecard":
        table = _document(ScorecardTable, data, entry.file)
        _refuse_unfit(entry.file, directions, [np.diff(column.log_odds) for column in table.columns])
        return ScorecardComponent(table)
    if entry.kind == "linear":
        line = _document(LinearTable, data, entry.file)
        _refuse_unfit(entry.file, directions, [np.asarray(column.coefficient) for column in line.columns])
        return LinearComponent(line)
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise IntegrityRefused(f"bundle refused: {entry.file} is not plain text") from error
    component = LightGbmComponent(text, len(directions), threads, proven=entry.proven == _OWN_WAY)
    refuse_unproven_direction(component.trees, directions)
    return component


def _refuse_unfit(name: str, directions: tuple[int, ...], slopes: Sequence[FloatArray]) -> None:
    """Refuse a component unless its slope in every column has the declared sign or is zero."""
    if len(slopes) != len(directions):
        raise IntegrityRefused(f"bundle refused: {name} does not have the model's {len(directions)} columns")
    for position, (slope, direction) in enumerate(zip(slopes, directions, strict=True)):
        if (slope * direction < 0.0).any():
            raise IntegrityRefused(f"bundle refused: {name} breaks the declared direction of column {position}")
