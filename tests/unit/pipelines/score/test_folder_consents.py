"""A folder to score is read under the consents it contains."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from data_contracts.errors import ConfigurationRefused, InputRefused
from features.catalogue import load_feature_set
from pipelines.ingest.deliveries.unlisted import Terms
from pipelines.profiles.score_settings import ScoringLimits
from pipelines.runs.stages import Place
from pipelines.score.inputs import Request, open_input
from tests.factories.raw_files import HMAC_KEY, ingest_settings, write_raw_folder
from tests.unit.pipelines.ingest.test_consents import OTHERS, SALE, consent, consents, withdrawn

if TYPE_CHECKING:
    from pathlib import Path

    from models.registry.bundle import BundleMeta
    from pipelines.score.inputs import ScoreInput
    from tests.factories.raw_files import RawFile

FEATURES = load_feature_set("trade_invoice")


def opened(folder: Path, files: list[RawFile], need: str) -> ScoreInput:
    """Return the rows to score in a folder of such files."""
    meta = cast("BundleMeta", SimpleNamespace(feature_set=FEATURES.name, feature_set_digest=FEATURES.digest))
    request = Request(meta, FEATURES.names, ScoringLimits(), Place("nowhere", folder / "out"), date(2023, 12, 31))
    return open_input(write_raw_folder(folder / "raw", files), request, ingest_settings(consent=need), lambda: HMAC_KEY)


def sellers(rows: ScoreInput) -> list[Any]:
    return [seller for chunk in rows.chunks(10) for seller in chunk["seller_id"].to_pylist()]


def test_a_folder_without_a_list_of_deliveries_is_read_by_content_and_options(tmp_path: Path) -> None:
    meta = cast("BundleMeta", SimpleNamespace(feature_set=FEATURES.name, feature_set_digest=FEATURES.digest))
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "sale.csv").write_bytes(SALE.data)
    place, day = Place("nowhere", tmp_path / "out"), date(2023, 12, 31)
    request = Request(meta, FEATURES.names, ScoringLimits(), place, day)
    with pytest.raises(ConfigurationRefused, match="add --from --to --delivered-at"):
        open_input(folder, request, ingest_settings(), lambda: HMAC_KEY)
    delivered_at = datetime(2024, 1, 5, tzinfo=UTC)
    terms = Terms("S000001", period_from=date(2023, 1, 1), period_to=day, delivered_at=delivered_at)
    rows = open_input(folder, replace(request, terms=terms), ingest_settings(), lambda: HMAC_KEY)
    assert sellers(rows) == ["S000001"]
    later = replace(terms, period_to=date(2023, 12, 30))
    again = open_input(folder, replace(request, terms=later), ingest_settings(), lambda: HMAC_KEY)
    assert again.read_with != rows.read_with


def test_without_consents_in_the_folder_nothing_is_read_where_they_are_required(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="2 of its files may not be read") as refused:
        opened(tmp_path, [SALE, OTHERS], "required")
    assert "\n" not in str(refused.value)


def test_without_consents_in_the_folder_where_listed_requires_none(tmp_path: Path) -> None:
    assert sellers(opened(tmp_path, [SALE, OTHERS], "where_listed")) == ["S000001", "S000002"]


@pytest.mark.parametrize("need", ["required", "where_listed"])
def test_a_seller_who_withdrew_consent_in_the_folder_is_not_an_applicant(need: str, tmp_path: Path) -> None:
    rows = [consent(), withdrawn("2025-03-01"), consent(seller_id="S000002")]
    assert sellers(opened(tmp_path, [consents(*rows), SALE, OTHERS], need)) == ["S000002"]
