"""What has expired or been withdrawn leaves earlier runs, on purpose and with a record."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.errors import IntegrityRefused, PassportError
from models.registry.chained_log import ChainedLog
from pipelines.commands.retain import RemovedContent, retain
from pipelines.ingest import stage as ingest
from pipelines.profiles import load_profile
from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import CURRENT, Place, current_output, current_run, read_manifest
from pipelines.signing.keys import KeyRing
from pipelines.validate import stage as validate
from tests.factories.files.templates import template_csv, template_row
from tests.factories.raw_files import (
    HMAC_KEY,
    RawFile,
    entity,
    ingest_settings,
    links_file,
    shopify_file,
    shopify_order,
    vat_file,
    vat_row,
    write_raw_folder,
)
from tests.factories.scoring import KEYS
from tests.unit.data_contracts.sources import test_gleif as gleif
from tests.unit.pipelines.ingest.batches.test_row_consents import NETWORK

if TYPE_CHECKING:
    from pathlib import Path

RING = KeyRing(KEYS.signing_key, HMAC_KEY, is_demonstration=True)
SPOILT_ORDER = shopify_order("#2", "1001", Total="much")
FILES = [
    RawFile("v/1.csv", "vat_invoices", vat_file("sale", [vat_row("1"), vat_row("2")]), "S000001"),
    RawFile("v/2.csv", "vat_invoices", vat_file("sale", [vat_row("1", "S000002")]), "S000002"),
    RawFile("s/1.csv", "shopify_orders", shopify_file([shopify_order("#1", "1000"), SPOILT_ORDER]), "S000002", "shop"),
]


def consent(day: str, **row: str) -> dict[str, str]:
    given = {"consent_reference": "C1", "seller_id": "S000001", "consented_source": "vat_invoices"}
    given |= {"purpose": "credit_assessment", "valid_from": "2022-01-01", "valid_to": "", "withdrawn_on": ""}
    return template_row("consent", f"C1-{day}", **{**given, "event_date": day, "known_at": "", **row})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a place with a run in which a seller consented, and a later run after its withdrawal."""
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    given = [consent("2022-01-01")]
    for rows in (given, [*given, consent("2025-06-01", withdrawn_on="2025-06-01")]):
        raw = write_raw_folder(tmp_path / "raw", [*FILES, RawFile("c.csv", "template_consent", template_csv(rows))])
        ingest.run(profile_of(raw), Place("small", tmp_path / "out"))
    return Place("small", tmp_path / "out")


@pytest.fixture
def keys_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))


def profile_of(raw: Path) -> Any:  # noqa: ANN401 - a profile with the settings of a test
    settings = ingest_settings(raw_dir=raw, worker_count=1, quarantine_limit_share=1.0, outside_period_limit_share=1.0)
    return load_profile("small").model_copy(update={"ingest": settings})


def runs_after(tmp_path: Path, files: list[RawFile], source: str) -> Place:
    """Return a place in which a seller consented to a source, and later withdrew that."""
    place = Place("small", tmp_path / "out")
    given = [consent("2022-01-01", consented_source=source)]
    taken_back = consent("2025-06-01", consented_source=source, withdrawn_on="2025-06-01")
    for rows in (given, [*given, taken_back]):
        raw = write_raw_folder(tmp_path / "raw", [*files, RawFile("c.csv", "template_consent", template_csv(rows))])
        ingest.run(profile_of(raw), place)
        with suppress(PassportError):  # a run is written before a gate fails
            validate.run(profile_of(raw), place)
    return place


def earlier_run(place: Place) -> Path:
    (found,) = set(place.stage_dir("ingest").glob("[!.]*/manifest.json")) - {
        current_run(place, "ingest") / "manifest.json"
    }
    return found.parent


def sellers_in(run_dir: Path) -> set[str]:
    return set(read_parquet(run_dir / "tables" / "trade_invoice.parquet")["seller_id"].to_pylist())


def test_a_withdrawn_source_leaves_earlier_runs_and_their_manifests_say_so(place: Place, tmp_path: Path) -> None:
    profile, earlier = profile_of(tmp_path / "raw"), earlier_run(place)
    assert sellers_in(earlier) == {"S000001", "S000002"}
    reported = retain(profile, place, date(2026, 2, 1))
    assert [line for removal in reported for line in removal.lines()] == [
        f"ingest/{earlier.name}/tables/source_coverage.parquet: 1 rows without a consent in force",
        f"ingest/{earlier.name}/tables/trade_invoice.parquet: 2 rows without a consent in force",
    ]
    assert sellers_in(earlier) == {"S000001", "S000002"}  # a report removes nothing
    assert retain(profile, place, date(2026, 2, 1), RING) == reported
    assert sellers_in(earlier) == {"S000002"}
    (removal,) = read_manifest(earlier)["removed"]
    assert removal["removed"]["tables/trade_invoice.parquet"] == {"rows without a consent in force": 2}
    (entry,) = ChainedLog(place.root / "ledger" / "retention.jsonl", RemovedContent, "retention log").read(
        RING.public_key
    )
    assert (entry.run, entry.on) == (f"ingest/{earlier.name}", date(2026, 2, 1))
    assert retain(profile, place, date(2026, 2, 1), RING) == []


def test_personal_contents_expire_and_the_run_in_force_stays_usable(place: Place, tmp_path: Path) -> None:
    profile, current = profile_of(tmp_path / "raw"), current_run(place, "ingest")
    path = current / "quarantine" / "shopify_orders.parquet"
    assert read_parquet(path)["original"].null_count == 0
    before = (place.stage_dir("ingest") / CURRENT).stat().st_mtime_ns
    retain(profile, place, date(2027, 6, 1), RING)
    assert read_parquet(path)["original"].null_count == read_parquet(path).num_rows == 1
    assert current_output(place, "ingest") == current
    assert (place.stage_dir("ingest") / CURRENT).stat().st_mtime_ns > before
    customers = read_parquet(current / "tables" / "site_order.parquet")["customer_id"]
    assert customers.null_count == 0
    retain(profile, place, date(2040, 1, 1), RING)
    assert read_parquet(current / "tables" / "site_order.parquet")["customer_id"].null_count == 1
    assert ingest.run(profile, place).was_current


@pytest.mark.usefixtures("keys_dir")
def test_links_and_matches_of_a_company_leave_with_its_sellers_consent_and_registers_stay(tmp_path: Path) -> None:
    named = [
        entity("C1", "Company", idNumber="S000001", name="Brightlamp Trading Ltd", jurisdiction="us"),
        *NETWORK[1:],
    ]
    register = gleif.entities(gleif.entity(LegalName="BRIGHTLAMP TRADING LTD."))
    files = [RawFile("l.jsonl", "company_links", links_file(named)), register]
    place = runs_after(tmp_path, files, "company_links")
    tables = earlier_run(place) / "tables"
    assert read_parquet(tables / "party_match.parquet").num_rows == 1
    retain(profile_of(tmp_path / "raw"), place, date(2026, 2, 1), RING)
    left = {name: read_parquet(tables / f"{name}.parquet") for name in ("party", "party_link", "party_match")}
    assert left["party_link"]["party_link_id"].to_pylist() == ["O2"]
    assert left["party"].num_rows == 4
    assert {"C2", "P1", "A1"} < {str(party) for party in left["party"]["party_id"].to_pylist()}
    assert left["party_match"].num_rows == 0
    current = current_run(place, "ingest") / "tables"
    for name, table in left.items():
        assert table.to_pylist() == read_parquet(current / f"{name}.parquet").to_pylist()


@pytest.mark.usefixtures("keys_dir")
def test_examples_and_sellers_leave_the_report_of_a_validation_and_its_pages_go(tmp_path: Path) -> None:
    table, source = "inventory_snapshot", "template_inventory_snapshot"
    rows = [template_row(table, f"I{number}", seller_id=f"S00000{number}") for number in (1, 2)]
    spoilt = template_row(table, "I3", seller_id="S000001", on_hand_quantity="much")
    place = runs_after(tmp_path, [RawFile("i.csv", source, template_csv([*rows, spoilt]))], source)
    earlier = [path.parent for path in place.stage_dir("validate").glob("[!.]*/manifest.json")]
    (run,) = (path for path in earlier if path != current_run(place, "validate"))
    shown = [run / name for name in ("validation.json", "data.en.html", "data.zh.html")]
    assert all("much" in path.read_text(encoding="utf-8") for path in shown)
    profile = profile_of(tmp_path / "raw")
    reported = retain(profile, place, date(2026, 2, 1))
    lines = [line for removal in reported for line in removal.lines() if removal.run_dir == run]
    assert f"validate/{run.name}/validation.json: 1 contents of set-aside rows without a consent in force" in lines
    assert f"validate/{run.name}/data.en.html: 1 page that shows what was removed" in lines
    assert retain(profile, place, date(2026, 2, 1), RING) == reported
    assert "much" not in shown[0].read_text(encoding="utf-8")
    assert not shown[1].exists()
    assert not shown[2].exists()
    assert retain(profile, place, date(2026, 2, 1), RING) == []


def test_a_damaged_run_is_named_and_not_written_again(place: Place, tmp_path: Path) -> None:
    earlier = earlier_run(place)
    (earlier / "row_counts.json").write_text("{}")
    with pytest.raises(IntegrityRefused, match="is not as it was published"):
        retain(profile_of(tmp_path / "raw"), place, date(2026, 2, 1), RING)
