"""Hypothesis strategies for the tables of related parties: six sellers, with rows before and after the date."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st

DAY = dt.date(2024, 6, 30)
HUB = 3
SELLERS = [f"S{number}" for number in range(6)]
COMPANIES = [f"P{number}" for number in range(6)]
OUTSIDE = ["person-1", "person-2", "address-1", "address-2", "holding"]

links = st.lists(
    st.fixed_dictionaries(
        {
            "from_party_id": st.sampled_from(COMPANIES + OUTSIDE),
            "to_party_id": st.sampled_from(COMPANIES + OUTSIDE),
            "link_type": st.sampled_from(["owner", "director", "address", "phone", "guarantee", "guarantee"]),
            "amount_usd": st.integers(0, 1000),
        }
    ),
    max_size=25,
)


def _dated(row: dict[str, Any], start: dt.date, known_at: dt.datetime, days: int | None) -> dict[str, Any]:
    """Return a link from its first to its last day; the last is counted from the date, if it has one."""
    ends = None if days is None else max(start, DAY - dt.timedelta(days=days))
    return {**row, "event_date": start, "valid_from": start, "valid_to": ends, "known_at": known_at}


_TIMES = {
    "event_date": st.integers(-3, 120).map(lambda age: DAY - dt.timedelta(days=age)),
    "known_at": st.sampled_from([dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 7, 1, tzinfo=dt.UTC)]),
}
related_worlds = st.fixed_dictionaries(
    {
        "party_link": links.flatmap(
            lambda rows: st.lists(
                st.tuples(_TIMES["event_date"], _TIMES["known_at"], st.sampled_from([None, None, 0, 50, -9])),
                min_size=len(rows),
                max_size=len(rows),
            ).map(lambda times: [_dated(row, *time) for row, time in zip(rows, times, strict=True)])
        ),
        "login_event": st.lists(
            st.fixed_dictionaries(
                {"seller_id": st.sampled_from(SELLERS), "device_id": st.sampled_from(["d1", "d2", None]), **_TIMES}
            ),
            max_size=8,
        ),
        "pledge": st.lists(
            st.fixed_dictionaries(
                {
                    "seller_id": st.sampled_from(SELLERS),
                    "asset_id": st.sampled_from(["a1", "a2"]),
                    "lender_id": st.sampled_from(["L1", "L2"]),
                    "entry_type": st.sampled_from(["pledged", "pledged", "released"]),
                    "asset_type": st.sampled_from(["receivable", "equipment"]),
                    **_TIMES,
                }
            ),
            max_size=8,
        ),
        "trade_invoice": st.lists(
            st.fixed_dictionaries(
                {
                    "seller_id": st.sampled_from(SELLERS),
                    "counterparty_id": st.sampled_from(["c1", "c2", "c3"]),
                    "direction": st.sampled_from(["purchase", "sale"]),
                    "status": st.sampled_from(["valid", "valid", "void"]),
                    **_TIMES,
                }
            ),
            max_size=12,
        ),
        "loan": st.lists(
            st.fixed_dictionaries(
                {
                    "seller_id": st.sampled_from(SELLERS),
                    "loan_id": st.sampled_from(["loan-1", "loan-2"]),
                    "principal_usd": st.integers(0, 900),
                    **_TIMES,
                }
            ),
            max_size=4,
        ),
        "repayment": st.lists(
            st.fixed_dictionaries({"seller_id": st.sampled_from(SELLERS), "event_date": _TIMES["event_date"]}).map(
                lambda row: {**row, "loan_id": f"loan of {row['seller_id']}", "known_at": "2024-01-01"}
            ),
            max_size=4,
        ),
    }
)
