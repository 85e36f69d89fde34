from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import InputRefused
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

START = 1_677_664_800_000_000  # 2023-03-01 10:00 UTC


def event(second: int, name: str = "page_view", *, session: int | None = 1, **given: object) -> dict[str, Any]:
    """Return an event as BigQuery writes it: whole numbers as text, parameters as a list of keys and typed values."""
    parameters = [{"key": "page_location", "value": {"string_value": "https://shop.example/"}}]
    if session is not None:
        parameters.append({"key": "ga_session_id", "value": {"int_value": str(session)}})
    return {
        "event_date": "20230301",
        "event_timestamp": str(START + second * 1_000_000),
        "event_name": name,
        "user_pseudo_id": "anna",
        "event_params": parameters,
        **given,
    }


def purchase(second: int, number: str | None, dollars: float | None, **given: object) -> dict[str, Any]:
    items = [{"item_id": "lamp", "item_revenue_in_usd": 999.0}]
    money = {"transaction_id": number, "purchase_revenue_in_usd": dollars}
    return event(second, "purchase", ecommerce=money, items=items, **given)


def table(*events: dict[str, Any], name: str = "events_20230301") -> RawFile:
    data = "".join(json.dumps(one) + "\n" for one in events).encode()
    return RawFile(f"ga4/{name}.jsonl", "ga4_events", data, "S000001", "shop")


def test_a_day_counts_sessions_visitors_bounces_and_purchases(tmp_path: Path) -> None:
    paid = {"collected_traffic_source": {"manual_medium": "cpc"}}
    clicked = {"collected_traffic_source": {"gclid": "x"}}
    events = [
        *(event(0, **paid), event(1), event(2, "scroll")),
        event(3, session=2, **clicked),
        event(4, session=1, user_pseudo_id="ben", collected_traffic_source={"manual_medium": "referral"}),
    ]
    days = ingested(tmp_path, [table(*events)]).tables["site_day"]
    assert cells(days, "session_count", "visitor_count", "bounce_count", "paid_session_count") == [(3, 2, 2, 2)]
    assert cells(days, "site_day_id", "advertising_usd") == [("ga4:shop:2023-03-01", None)]


def test_revenue_counts_each_transaction_once(tmp_path: Path) -> None:
    again = purchase(90_000, "T1", 20.5, event_date="20230302")
    events = [purchase(0, "T1", 20.5), purchase(5, "T1", 20.5), purchase(9, "T2", 1.25), again]
    days = ingested(tmp_path, [table(*events)]).tables["site_day"]
    assert cells(days, "purchase_count", "purchase_usd") == [(2, Decimal("21.7500")), (0, 0)]


def test_purchases_without_a_number_count_separately_and_one_without_revenue_makes_the_sum_unknown(
    tmp_path: Path,
) -> None:
    days = ingested(tmp_path, [table(purchase(0, None, 5.0), purchase(1, "(not set)", None))]).tables["site_day"]
    assert cells(days, "purchase_count", "purchase_usd") == [(2, None)]


def test_an_event_without_consent_is_not_a_session_but_its_purchase_counts(tmp_path: Path) -> None:
    result = ingested(tmp_path, [table(purchase(0, "T1", 5.0, session=None, user_pseudo_id=None), event(1))])
    assert cells(result.tables["site_day"], "session_count", "purchase_count") == [(1, 1)]
    assert only_account(result).warnings["event of no session, as where consent is refused"] == 1


def test_a_table_delivered_again_adds_its_late_events_and_the_others_count_once(tmp_path: Path) -> None:
    files = [table(event(0)), table(event(0), event(1, session=2), name="events_20230301_again")]
    result = ingested(tmp_path, files)
    assert cells(result.tables["site_day"], "session_count") == [2]
    assert cells(result.duplicates, "reason") == ["repeated row"]


def test_a_day_is_known_once_its_late_events_have_arrived(tmp_path: Path) -> None:
    days = ingested(tmp_path, [table(event(0))]).tables["site_day"]
    assert [str(value) for value in cells(days, "event_date", "known_at")[0]] == [
        "2023-03-01",
        "2023-03-05 00:00:00+00:00",
    ]


def test_parquet_has_the_same_days_as_json_lines(tmp_path: Path) -> None:
    events = [purchase(0, "T1", 20.5), event(1, session=2)]
    parquet = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist([{**one, "event_timestamp": int(one["event_timestamp"])} for one in events]), parquet
    )
    delivered = [table(*events), RawFile("e.parquet", "ga4_events", parquet.getvalue(), "S000001", "shop")]
    found = [ingested(tmp_path / file.name, [file]).tables["site_day"] for file in delivered]
    names = [name for name in found[0].column_names if not name.startswith("source")]
    assert found[0].select(names).to_pylist() == found[1].select(names).to_pylist()


def test_a_bad_event_of_a_parquet_file_is_set_aside_with_its_cells(tmp_path: Path) -> None:
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([event(0), event(1, event_date="2023-03-01"), event(2, "a\x00b")]), parquet)
    result = ingested(tmp_path, [RawFile("e.parquet", "ga4_events", parquet.getvalue(), "S000001", "shop")])
    account = only_account(result)
    assert (account.rows_in, account.accepted) == (3, 1)
    assert account.quarantined == {"json:value": 1, "type:visited_on": 1}
    assert all(original for original in cells(result.quarantine, "original"))


@pytest.mark.parametrize("data", [b"PAR1 but nothing more", b'{"event_name": "x"}\n'])
def test_a_table_without_events_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [RawFile("e", "ga4_events", data, "S000001", "shop")])
    assert "\n" not in str(refusal.value)


def test_a_line_that_is_not_json_sets_only_itself_aside(tmp_path: Path) -> None:
    file = table(event(0), event(1))
    broken = RawFile(file.name, file.source, file.data + b'{"event_date": \n', file.seller, file.account)
    account = only_account(ingested(tmp_path, [broken]))
    assert (account.accepted, account.quarantined) == (2, {"json:syntax": 1})
