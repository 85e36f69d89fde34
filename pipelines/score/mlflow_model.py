"""Score with a registered version in any MLflow client.

``mlflow.pyfunc.load_model("models:/seller-default@champion").predict(rows)`` does it. The client needs this package
installed, and the issuer's trust file in the variable ``PASSPORT_TRUST_FILE`` or, where the model was trained, the
profile's own key. Nothing is unpickled, and the bundle is verified before it is read. What the model answers is what
``passport score`` answers for the same rows.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa

from data_contracts.errors import InputRefused, IntegrityRefused
from models.registry.bundle import load_bundle
from models.registry.mlflow_registry import BUNDLE_FOLDER, DATA_FOLDER
from pipelines.profiles import load_profile, shipped_profiles
from pipelines.profiles.score_settings import ScoringLimits
from pipelines.register.mlflow_run import ISSUED_ON
from pipelines.score.model import keys_of, signer_objections
from pipelines.score.scorer import ScoringContext, score_chunk
from pipelines.signing.keys import load_keys, read_trust_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.registry.bundle import Bundle

TRUST_VARIABLE: Final = "PASSPORT_TRUST_FILE"
_VERSION_FILE: Final = "registered_model_meta"
_PROFILE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{2,62}")
_ISO_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class ScoringModel:
    """What ``mlflow.pyfunc`` calls to score rows."""

    def __init__(self, bundle: Bundle, limits: ScoringLimits, version: str) -> None:
        self.bundle = bundle
        self.limits = limits
        self.version = version

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Return one row for each row given, in the same order, with the columns of ``passport score``.

        A row without seller_id or as_of is refused with the codes of the command.

        Args:
            model_input: seller_id, as_of (a day), and the features by name, missing ones allowed.
            params: ``issued_on``, the day from which the age of the data is counted; by default today.

        Raises:
            InputRefused: a date or a number is not one.
        """
        issued_on = _day((params or {}).get(ISSUED_ON) or None, ISSUED_ON) or dt.datetime.now(dt.UTC).date()
        days = [_day(value, "as_of", row) for row, value in enumerate(_column(model_input, "as_of"), start=1)]
        chunk = _chunk(model_input, days, self.bundle.model.feature_names)
        context = ScoringContext(self.bundle, self.limits, issued_on, self.version)
        return score_chunk(context, chunk).to_pandas()


def _load_pyfunc(path: str) -> ScoringModel:
    """Load a registered version, for MLflow.

    Raises:
        ConfigurationRefused: there is neither a trust file nor the profile's key.
        IntegrityRefused: the bundle is not what a trusted key signed.
    """
    import mlflow.models  # noqa: PLC0415 - takes long, and only MLflow itself calls this

    data = Path(path)
    folder = data.parent if data.name == DATA_FOLDER else data
    metadata: dict[str, Any] = mlflow.models.Model.load(str(folder)).metadata or {}
    profile = str(metadata["profile"])
    bundle = _verified(folder / BUNDLE_FOLDER, profile)
    # What MLflow keeps beside the bundle is not signed, so the limits of a profile at hand come first.
    own = load_profile(profile).scoring.limits if profile in shipped_profiles() else None
    limits = own or ScoringLimits.model_validate(metadata["limits"])
    return ScoringModel(bundle, limits, _version(folder) or bundle.meta.model_version)


def _verified(folder: Path, profile_name: str) -> Bundle:
    trust_file = os.environ.get(TRUST_VARIABLE)
    if trust_file is None:
        if not _PROFILE_NAME.fullmatch(profile_name):  # it names a folder of keys, and is not signed
            raise IntegrityRefused(f"the model names a profile {profile_name!r}, which is no name of a profile")
        keys = load_keys(profile_name, is_demonstration=False, environment=os.environ)
        return load_bundle(folder, [keys.public_key])
    trust, today = read_trust_file(Path(trust_file)), dt.datetime.now(dt.UTC).date()
    with signer_objections(trust, today, today):
        return load_bundle(folder, keys_of(trust, today, today))


def _version(folder: Path) -> str | None:
    """Return the version that MLflow writes beside a downloaded model; None for a folder without it."""
    file = folder / _VERSION_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model_version:")]
    return found[0] if found else None


def _chunk(rows: pd.DataFrame, as_of: list[dt.date | None], features: tuple[str, ...]) -> pa.Table:
    sellers = [None if pd.isna(value) or value == "" else str(value) for value in _column(rows, "seller_id")]
    refusals = [
        ";".join([*(["missing_seller_id"] if seller is None else []), *(["missing_as_of"] if day is None else [])])
        for seller, day in zip(sellers, as_of, strict=True)
    ]
    return pa.table(
        {
            "source_row": pa.array(range(1, len(rows) + 1), pa.int64()),
            "applicant_id": pa.array([None] * len(rows), pa.string()),
            "seller_id": pa.array(sellers, pa.string()),
            "as_of": pa.array(as_of, pa.date32()),
            "refusals": pa.array(refusals, pa.string()),
            **{name: pa.array(_numbers(rows, name), pa.float64()) for name in features},
        }
    )


def _column(rows: pd.DataFrame, name: str) -> list[Any]:
    return rows[name].tolist() if name in rows.columns else [None] * len(rows)


def _numbers(rows: pd.DataFrame, name: str) -> list[float | None]:
    return [_number(value, name, row) for row, value in enumerate(_column(rows, name), start=1)]


def _number(value: Any, column: str, row: int) -> float | None:  # noqa: ANN401 - a cell may hold anything
    if value is None or pd.isna(value):
        return None
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise _refused(value, "a number", "give a number, or leave it empty", (row, column)) from error


def _day(value: Any, column: str, row: int | None = None) -> dt.date | None:  # noqa: ANN401 - a cell may hold anything
    if value is None or pd.isna(value) or value == "":
        return None
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        if isinstance(value, str) and _ISO_DAY.fullmatch(value.strip()):
            return dt.date.fromisoformat(value.strip())
    except ValueError:
        pass
    raise _refused(value, "a day", "write YYYY-MM-DD", (row, column))


def _refused(value: object, what: str, remedy: str, place: tuple[int | None, str]) -> InputRefused:
    rule = f"{value!r} is not {what}"
    return InputRefused(file="given to the model", rule=rule, remedy=remedy, row=place[0], column=place[1])
