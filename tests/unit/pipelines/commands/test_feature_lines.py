"""What stands behind a feature of related parties, as the command tells, saves and draws it."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest

from data_contracts.errors import ConfigurationRefused
from features.build import BuildSettings
from features.catalogue import select_features
from features.graph.edges import GraphSettings
from features.trace import Step, TraceSource, trace_feature
from pipelines.commands.feature_lines import path_picture, rows_csv, trace_lines
from tests.factories.canonical_tables import canonical_tables, coverage_rows

SIGNAL = "shared_attribute_count"
USERS = (("S1", 1), ("S2", 2))


def traced(name: str = SIGNAL) -> tuple[Step, ...]:
    """Return a trace for S1, which shares an address with S2 and a forwarder's with S2 and S3."""
    sellers = ["S1", "S2", "S3"]
    tables = canonical_tables(
        party=[{"party_id": f"P{seller}", "seller_id": seller} for seller in sellers],
        party_link=[
            {"from_party_id": f"P{seller}", "to_party_id": to, "link_type": "address"}
            for seller, to in (("S1", "street"), ("S2", "street"), *((seller, "forwarder") for seller in sellers))
        ],
        source_coverage=coverage_rows(sellers, ["party", "party_link", "login_event"]),
    )
    settings = BuildSettings(graph=GraphSettings(hub_sellers=2), threads=1)
    source = TraceSource(tables, "S1", dt.date(2024, 6, 30), settings)
    return trace_feature(select_features("one", "1.0.0", [name]), name, source)


def test_the_links_are_told_and_the_hub_that_was_left_out_is_named() -> None:
    lines = [line.strip() for line in trace_lines(traced(), 5)]
    assert lines[0] == f"{SIGNAL} = 1"
    street = [f"{seller} uses the address street since 2024-01-01 (party_link.csv, row {row})" for seller, row in USERS]
    forwarder = "S1 uses the address forwarder since 2024-01-01 (party_link.csv, row 3)"
    reason = "left out, because it serves 3 sellers and makes no relation"
    told = ["1 path:", "; ".join(street), "left out 1, shared by many sellers:", f"{forwarder}; {reason}"]
    assert lines[2:] == told
    assert "S1使用地址street，自2024-01-01起" in "\n".join(trace_lines(traced(), 5, "zh"))


def test_the_links_are_saved_row_by_row_with_the_path_they_belong_to() -> None:
    rows = list(csv.DictReader(io.StringIO(rows_csv(traced()).decode())))
    assert [(row["path"], row["start"], row["end"], row["source_row"]) for row in rows] == [
        ("1", "S1", "street", "1"),
        ("1", "S2", "street", "2"),
    ]
    assert {row["known_at"] for row in rows} == {"2024-01-01 12:00:00+00:00"}


def test_a_picture_needs_links() -> None:
    assert "使用地址" in path_picture(traced(), "S1", "zh").decode()
    nothing = traced("shared_device_seller_count_90d")
    assert trace_lines(nothing, 5)[-1].strip() == "0 paths"
    with pytest.raises(ConfigurationRefused, match="no links are behind shared_device_seller_count_90d"):
        path_picture(nothing, "S1")
