"""The sellers on the explanation page have the links behind their lines and raised flags, as data and by row."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from features.catalogue import load_feature_set
from pipelines.explain.links import explained_links, links_document
from pipelines.runs.publish import write_parquet
from tests.factories.canonical_tables import canonical_tables

if TYPE_CHECKING:
    from pathlib import Path

    from features.related_parties import RelatedParties

DAY = dt.date(2024, 6, 30)
FEATURES = load_feature_set("seller_core")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    links = [("P0", "P1", "guarantee"), ("P1", "P0", "guarantee"), ("P0", "desk", "address"), ("P2", "desk", "address")]
    rows = [
        {"from_party_id": start, "to_party_id": end, "link_type": kind, "valid_from": "2023-02-01", "amount_usd": 500}
        for start, end, kind in links
    ]
    parties = [{"party_id": f"P{number}", "seller_id": f"S{number}"} for number in range(4)]
    for name, table in canonical_tables(party=parties, party_link=rows).items():
        write_parquet(tmp_path / f"{name}.parquet", table)
    return tmp_path


def local(role: str, seller: str, as_of: dt.date | None, *lines: tuple[str, float | None]) -> SimpleNamespace:
    told = [SimpleNamespace(feature=feature, value=value) for feature, value in lines]
    return SimpleNamespace(role=role, seller_id=seller, as_of=as_of, lines=told)


def found_for(tables: Path, *shown: SimpleNamespace) -> dict[str, RelatedParties]:
    days = pa.array([DAY] * 2, pa.date32())
    matrix = pa.table({"seller_id": ["S0", "S1"], "as_of": days, "guarantee_cycle_flag": [0.0, 1.0]})
    explanation: Any = SimpleNamespace(local=shown)
    return explained_links(explanation, FEATURES, tables, matrix)


def test_lines_and_raised_flags_of_each_seller_have_their_links(tables: Path) -> None:
    found = found_for(
        tables,
        local("strongest", "S0", DAY, ("shared_attribute_count", 1.0), ("sales_trend_90d", 0.1)),
        local("near_cut_off", "S1", DAY),
        local("weakest", "S3", DAY, ("shared_attribute_count", 0.0)),
    )
    features = {role: [one.record.name for one in links.signals] for role, links in found.items()}
    assert features == {"strongest": ["shared_attribute_count"], "near_cut_off": ["guarantee_cycle_flag"]}


def test_a_missing_value_and_an_unknown_date_have_none(tables: Path) -> None:
    shown = (
        local("strongest", "S0", DAY, ("shared_attribute_count", None)),
        local("weakest", "S0", None, ("shared_attribute_count", 1.0)),
    )
    assert found_for(tables, *shown) == {}


def test_without_the_registry_nothing_is_claimed(tables: Path) -> None:
    for name in ("party", "party_link"):
        (tables / f"{name}.parquet").unlink()
    assert found_for(tables, local("strongest", "S0", DAY, ("shared_attribute_count", 1.0))) == {}


def test_the_data_name_every_link_with_its_row(tables: Path) -> None:
    document = links_document(found_for(tables, local("strongest", "S0", DAY, ("shared_attribute_count", 1.0))))
    assert json.loads(json.dumps(document)) == document
    (feature,) = document["strongest"]["features"]
    (path,) = feature["paths"]
    assert path["reaches"] == "S2"
    stated = [(tie["start"], tie["end"], tie["valid_from"], tie["source_row"]) for tie in path["ties"]]
    assert stated == [("S0", "desk", "2023-02-01", 3), ("S2", "desk", "2023-02-01", 4)]
