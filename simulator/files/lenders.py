"""Loans, instalments, payments and applications as sheets of the lenders, one file each per district."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.credit import month_starts
from simulator.files.deliveries import district_file
from simulator.files.raw_file import DistrictContent, RawFile
from simulator.observation.availability import Observation, booking_lag_days, is_dirty
from simulator.randomness import scatter
from simulator.text_columns import (
    cents_text,
    chosen,
    clock_text,
    day_text,
    joined,
    line_offsets,
    text,
    to_cents,
    whole_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text

LOAN_HEADER = "Loan No,Borrower,Lender,Disbursed On,Matures On,Principal,Ccy,Rate % p.a.,Instalments\n"
REPAYMENT_HEADER = "Entry No,Loan No,Borrower,Entry,Entry Date,Amount,Ccy,Booked At (UTC)\n"
APPLICATION_HEADER = "Application No,Applicant,Applied On,Requested (USD),Purpose,Consent Ref,Decision\n"
_BOOKING_SECOND = 64_800  # six in the evening


def _whole(columns: dict[str, NDArray[np.generic]], name: str) -> NDArray[np.int64]:
    return columns[name].astype(np.int64)


def due_rows(world: World) -> dict[str, NDArray[np.int64]]:
    """Return every instalment of every loan: loan, seller, number (1 = first), due day, cents, day of disbursement."""
    loans = dict(world.events.get("loans", {}))
    if not loans:
        return {
            name: np.array([], dtype=np.int64) for name in ("loan", "seller", "number", "day", "cents", "disbursed")
        }
    starts = month_starts(world.timeline.first_day)
    term = _whole(loans, "term")
    owner = np.repeat(np.arange(len(term)), term)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(term) - term, term) + 1
    return {
        "loan": _whole(loans, "loan")[owner], "seller": _whole(loans, "seller")[owner], "number": number,
        "day": starts[_whole(loans, "first_month")[owner] + number] + _whole(loans, "day_of_month")[owner] - 1,
        "cents": to_cents(loans["instalment"].astype(np.float64))[owner], "disbursed": _whole(loans, "day")[owner],
    }  # fmt: skip


def loan_text(world: World, loan: NDArray[np.int64]) -> Text:
    """Return the lenders' reference of each loan: ``L0000001`` for the world's first; no seller has a hundred."""
    return joined("L", whole_text(100 * world.first_seller + loan + 1, 7))


def _loans(world: World) -> Text:
    loans = dict(world.events.get("loans", {}))
    if not loans:
        return text([])
    dues = due_rows(world)
    last = np.zeros(len(loans["loan"]), dtype=np.int64)
    np.maximum.at(last, dues["loan"], dues["day"])
    first = world.timeline.first_day
    return joined(
        loan_text(world, _whole(loans, "loan")), ",S",
        whole_text(world.number(_whole(loans, "seller")), 6), ",LN",
        whole_text(_whole(loans, "lender"), 2), ",", day_text(first, _whole(loans, "day")), ",",
        day_text(first, last), ",",
        cents_text(to_cents(loans["principal"].astype(np.float64))), ",CNY,",
        cents_text(to_cents(loans["rate_pct"].astype(np.float64))), ",", whole_text(_whole(loans, "term")), "\n",
    )  # fmt: skip


def _repayments(world: World) -> Text:
    """Return instalments due (known at disbursement) and payments (booked within five days), in order of booking."""
    dues, paid = due_rows(world), dict(world.events.get("payments", {}))
    if not paid:
        paid = {name: np.array([], dtype=np.int64) for name in ("loan", "seller", "day", "amount")}
    paid_day = _whole(paid, "day")
    booked = np.concatenate([dues["disbursed"], paid_day + booking_lag_days(world, np.arange(len(paid_day)))])
    is_paid = np.concatenate([np.zeros(len(dues["day"]), dtype=bool), np.ones(len(paid_day), dtype=bool)])
    order = np.lexsort((is_paid, booked))
    columns = {
        name: np.concatenate([dues[name], values])[order]
        for name, values in (
            ("loan", _whole(paid, "loan")), ("seller", _whole(paid, "seller")), ("day", paid_day),
            ("cents", to_cents(paid["amount"].astype(np.float64))),
        )
    }  # fmt: skip
    entry = chosen(["Due", "Paid"], is_paid[order])
    bits = scatter(world.settings.observation_seed, "booked", np.arange(len(order)))
    jitter = (bits % np.uint64(3_600)).astype(np.int64)
    first = world.timeline.first_day
    return joined(
        "R", whole_text(1_000 * world.first_seller + np.arange(len(order)) + 1, 8), ",",
        loan_text(world, columns["loan"]), ",S", whole_text(world.number(columns["seller"]), 6), ",", entry, ",",
        day_text(first, columns["day"]), ",",
        cents_text(columns["cents"]), ",CNY,", day_text(first, booked[order]), " ",
        clock_text(_BOOKING_SECOND + jitter), "\n",
    )  # fmt: skip


def _applications(world: World) -> Text:
    rows = dict(world.events.get("applications", {}))
    if not rows:
        return text([])
    seller = _whole(rows, "seller")
    order = np.argsort(seller, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(seller[order]) != 0]))
    nth = np.empty(len(seller), dtype=np.int64)
    nth[order] = np.arange(len(seller)) - np.repeat(starts, np.diff(np.concatenate([starts, [len(seller)]]))) + 1
    decision = chosen(["rejected", "accepted"], _whole(rows, "is_accepted"))
    ident = whole_text(world.number(seller), 6)
    return joined(
        "A", whole_text(100 * world.first_seller + np.arange(len(seller)) + 1, 7), ",S", ident, ",",
        day_text(world.timeline.first_day, _whole(rows, "day")), ",",
        cents_text(to_cents(rows["requested_usd"].astype(np.float64))), ",", text(rows["purpose"].tolist()), ",CR-S",
        ident, "-", whole_text(nth, 2), ",", decision, "\n",
    )  # fmt: skip


def lender_files(world: World, observation: Observation) -> Iterator[RawFile]:
    """Yield the lenders' three sheets, one file each per district."""
    del observation  # lenders know their own books; booking lags have their own draws
    sheets = (
        ("lender_loans", "loans", LOAN_HEADER, _loans(world), ""),
        (
            "lender_repayments",
            "repayments",
            REPAYMENT_HEADER,
            _repayments(world),
            "R9{0:07d},L0000001,S000001,Paid,2021-05-04,??,CNY,2021-05-04 18:00:00\n",
        ),
        ("lender_applications", "applications", APPLICATION_HEADER, _applications(world), ""),
    )
    for source, name, header, lines, junk in sheets:
        _, data = line_offsets(lines)
        share = world.settings.observation.malformed_row_share
        bad = int(is_dirty(world, source, np.arange(len(lines)), share).sum()) if junk else 0
        extra = "".join(junk.format(place) for place in range(bad)).encode()
        content: tuple[bytes | memoryview, ...] = (header.encode(), data, extra)
        yield district_file(
            world, source, f"{name}-{{}}.csv", _BOOKING_SECOND, DistrictContent(content, len(lines) + bad, bad)
        )
