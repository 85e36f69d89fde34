"""Related parties are looked up for passports alone: for their reasons and raised flags, in the tables of the date."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from features.catalogue import load_feature_set
from features.related_parties import RelatedParties
from pipelines.passports.passport import Row
from pipelines.score.related import related_reader
from tests.factories.canonical_tables import canonical_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = dt.date(2024, 6, 30)
FEATURES = load_feature_set("seller_core")
SELLERS = [f"S{number}" for number in range(4)]


def tables(**more: list[dict[str, Any]]) -> dict[str, pa.Table]:
    links = [
        ("P0", "P1", "guarantee"), ("P1", "P0", "guarantee"), ("P0", "desk", "address"), ("P2", "desk", "address"),
    ]  # fmt: skip
    rows = [
        {"from_party_id": start, "to_party_id": end, "link_type": kind, "valid_from": "2023-02-01", "amount_usd": 500}
        for start, end, kind in links
    ]
    parties = [{"party_id": f"P{seller[1:]}", "seller_id": seller} for seller in SELLERS]
    return dict(canonical_tables(party=parties, party_link=rows, **more))


def described(flag: float | None = 0.0) -> pa.Table:
    days = pa.array([DAY] * len(SELLERS), pa.date32())
    flags = pa.array([flag] + [0.0] * (len(SELLERS) - 1), pa.float64())
    return pa.table({"seller_id": SELLERS, "as_of": days, "guarantee_cycle_flag": flags})


def row(*reasons: tuple[str, float | None], seller: str = "S0", as_of: dt.date = DAY) -> Row:
    told = [{"feature": feature, "value": value} for feature, value in reasons]
    return {"seller_id": seller, "as_of": as_of, "reasons": json.dumps({"for": [], "against": told})}


def look_up(asked: Row, known: Mapping[str, pa.Table], flag: float | None = 0.0) -> RelatedParties | None:
    return related_reader(FEATURES, lambda _: known, described(flag))(asked)


def told(found: RelatedParties | None) -> dict[str, list[str | None]]:
    signals = () if found is None else found.signals
    return {one.record.name: [path.reaches for path in one.paths] for one in signals}


def test_a_reason_about_related_parties_has_its_paths_and_other_reasons_have_none() -> None:
    asked = row(("sales_trend_90d", 0.2), ("shared_attribute_count", 1.0))
    assert told(look_up(asked, tables())) == {"shared_attribute_count": ["S2"]}


def test_a_raised_flag_has_its_paths_though_it_is_no_reason() -> None:
    found = look_up(row(), tables(), flag=1.0)
    assert told(found) == {"guarantee_cycle_flag": ["S0"]}
    assert found is not None
    assert found.sellers == {"S0", "S1"}


@pytest.mark.parametrize("flag", [0.0, None])
def test_a_flag_that_is_not_raised_has_none(flag: float | None) -> None:
    assert look_up(row(), tables(), flag) is None


def test_of_a_missing_value_nothing_is_claimed() -> None:
    assert look_up(row(("shared_attribute_count", None)), tables()) is None


def test_a_seller_without_links_has_no_paths() -> None:
    assert told(look_up(row(("shared_attribute_count", 0.0), seller="S3"), tables())) == {}
    assert told(look_up(row(("shared_attribute_count", 0.0), seller="S404"), tables())) == {}


def test_without_the_registry_nothing_is_claimed() -> None:
    rest = {name: table for name, table in tables().items() if name not in {"party", "party_link"}}
    assert told(look_up(row(("shared_attribute_count", 1.0)), rest, flag=1.0)) == {}


def test_links_known_after_the_date_are_no_evidence() -> None:
    earlier = row(("shared_attribute_count", 1.0), as_of=dt.date(2023, 1, 31))
    assert told(look_up(earlier, tables())) == {}


def test_a_related_seller_in_default_is_named_so_whatever_the_feature_is_about() -> None:
    overdue = [{"seller_id": "S2", "loan_id": "L", "entry_type": "due", "event_date": "2024-01-01"}]
    found = look_up(row(("shared_attribute_count", 1.0)), tables(repayment=overdue))
    assert found is not None
    assert found.signals[0].paths[0].default_date == dt.date(2024, 3, 31)


def test_the_tables_are_read_once_for_a_date_and_never_without_need() -> None:
    asked_for: list[list[str]] = []

    def read(columns: Mapping[str, list[str]]) -> Mapping[str, pa.Table]:
        asked_for.append(sorted(columns))
        known = tables()
        return {name: known[name].select(columns[name]) for name in ("party", "party_link")}

    found = related_reader(FEATURES, read, described())
    assert found(row(("sales_trend_90d", 0.2))) is None
    assert asked_for == []
    for seller in ("S0", "S2"):
        assert told(found(row(("shared_attribute_count", 1.0), seller=seller))) != {}
    assert len(asked_for) == 1
    assert {"party", "party_link", "repayment"} <= set(asked_for[0])
