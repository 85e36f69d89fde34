"""Accounts on hosted platforms as answers of SHEIN's open platform: reports (full hosted), statements (semi hosted).

A report or statement covers two weeks; its sales stand for groups of orders of two stock-keeping units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from simulator.catalogue import HOSTED_MODES
from simulator.economy.state import REPORT_ITEMS
from simulator.files.deliveries import seller_files
from simulator.files.raw_file import FileFormat, Lines, RawFile, View
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import cents_text, chosen, clock_text, day_text, either, joined, taken, to_cents, whole_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text

FULL, SEMI = "shein_report", "shein_statement"
_SEPARATOR = b",\n"
_REPORT_DAYS = 14
_FINES = ("Quality violation fine", "Late delivery fine", "Out of stock fine")


@dataclass(frozen=True)
class _Reports:
    """Delivered reports of the sellers in view, in order of seller and time; amounts in cents."""

    seller: NDArray[np.int64]
    week: NDArray[np.int64]
    end_day: NDArray[np.int64]
    pay_day: NDArray[np.int64]
    is_paid: NDArray[np.bool_]
    is_euro: NDArray[np.bool_]
    cents: dict[str, NDArray[np.int64]]
    total: NDArray[np.int64]
    first_part: NDArray[np.int64]
    bits: NDArray[np.uint64]


def pay_day(
    world: World, seller: NDArray[np.int64], week: NDArray[np.int64], pay_week: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the days on which a hosted platform pays the reports that closed in ``week``."""
    waits: NDArray[np.int64] = (_report_bits(world, seller, week) % np.uint64(5)).astype(np.int64)
    return 7 * pay_week + waits


def report_total(cents: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return what reports pay, from their items in cents."""
    return cents["sales"] - cents["returns"] - cents["fines"] + cents["top_ups"]


def _report_bits(world: World, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.uint64]:
    return scatter(world.settings.seed, "hosted report", seller, week)


def _reports(view: View, source: str, mode: str) -> _Reports | None:
    rows, world = view.rows("reports", source), view.world
    if not len(rows.get("seller", ())):
        return None
    is_mine = world.firms.hosted_mode[rows["seller"].astype(np.int64)] == HOSTED_MODES.index(mode)
    kept = {name: values[is_mine] for name, values in rows.items()}
    if not is_mine.any():
        return None
    seller, week = kept["seller"].astype(np.int64), kept["week"].astype(np.int64)
    bits = _report_bits(world, seller, week)
    paid_on = pay_day(world, seller, week, kept["pay_week"].astype(np.int64))
    cents = {name: to_cents(kept[name].astype(np.float64)) for name in REPORT_ITEMS}
    habit = 0.5 + 0.35 * unit_interval(scatter(world.settings.seed, "hosted goods", seller))
    return _Reports(
        seller=seller, week=week, end_day=7 * week + 6, pay_day=paid_on,
        is_paid=paid_on < 7 * world.timeline.weeks, is_euro=world.firms.is_euro[seller], cents=cents,
        total=report_total(cents),
        first_part=np.floor(habit * cents["sales"]).astype(np.int64), bits=bits,
    )  # fmt: skip


def _moment(view: View, day: NDArray[np.int64], bits: NDArray[np.uint64]) -> Text:
    """Return a time stamp on each day, Beijing time."""
    second = (bits >> np.uint64(13)) % np.uint64(36_000) + np.uint64(32_400)
    return joined(day_text(view.first_day, day), " ", clock_text(second.astype(np.int64)))


def _number(view: View, found: _Reports, letter: str) -> Text:
    return joined(letter, whole_text(view.world.number(found.seller), 7), whole_text(found.week, 4))


def _state(view: View, found: _Reports) -> Text:
    """Return the cells with the state of the settlement."""
    paid = either(found.is_paid, _moment(view, found.pay_day, found.bits), "")
    expected = _moment(view, found.pay_day - (found.bits % np.uint64(2)).astype(np.int64), found.bits)
    return joined('","estimatePayTime":"', expected, '","completedPayTime":"', paid, '",')


def _money(found: _Reports) -> Text:
    code = chosen(["USD", "EUR"], found.is_euro)
    return joined('"currencyCode":"', code, '","estimateIncomeMoneyTotal":', cents_text(found.total))


@dataclass(frozen=True)
class _Details:
    """Details of reports: their report, kind and amount."""

    owner: NDArray[np.int64]
    kind: NDArray[np.int64]
    cents: NDArray[np.int64]


# Kinds of details in the order of the report; the first two are sales.
_KINDS = ("sales", "sales", "returns", "fines", "top_ups")


def _details(found: _Reports) -> _Details:
    amounts = np.stack(
        [found.first_part, found.cents["sales"] - found.first_part, *(found.cents[name] for name in _KINDS[2:])], axis=1
    )
    owner, kind = np.nonzero(amounts)
    return _Details(owner, kind, amounts[owner, kind])


def _unit(view: View, found: _Reports, details: _Details) -> Text:
    seller = whole_text(view.world.number(found.seller[details.owner]), 6)
    return joined("I", seller, "-", whole_text(np.minimum(details.kind, 1)))


def _report_heads(view: View, found: _Reports, details: _Details) -> Text:
    count = len(found.seller)
    sales = np.bincount(details.owner[details.kind < 2], minlength=count)
    others = np.bincount(details.owner[details.kind >= 2], minlength=count)
    return joined(
        ',\n{"reportOrderNo":"', _number(view, found, "B"), '","salesTotal":', whole_text(sales), ',"replenishTotal":',
        whole_text(others), ',"addTime":"', _moment(view, found.end_day, found.bits), '","lastUpdateTime":"',
        _moment(view, np.where(found.is_paid, found.pay_day, found.end_day), found.bits), '","settlementStatus":',
        chosen(["2", "3"], found.is_paid), ',"settlementStatusName":"',
        chosen(["To be settled", "Settled"], found.is_paid),
        _state(view, found), _money(found), ',"reportSalesDetails":[',
    )  # fmt: skip


def _report_details(view: View, found: _Reports, details: _Details) -> Text:
    """Return one JSON object per detail: a sale, a deduction or a top-up."""
    at, kind = details.owner, details.kind
    bits = scatter(view.world.settings.seed, "hosted detail", found.seller[at], found.week[at], kind)
    back = np.where(kind < 2, 1 + (bits % np.uint64(_REPORT_DAYS - 1)).astype(np.int64), 0)
    day = np.maximum(found.end_day[at] - back, 7 * view.world.firms.entry_week[found.seller[at]])
    price = view.world.firms.unit_price * view.world.firms.hosted_price_share
    pieces = np.maximum(np.rint(details.cents / 100 / price[found.seller[at]]), 1).astype(np.int64)
    number = joined(taken(_number(view, found, "D"), at), whole_text(kind))
    common = joined(
        '"id":"', number, '","skuCode":"', _unit(view, found, details), '","goodsCount":', whole_text(pieces),
        ',"settleCurrencyCode":"', chosen(["USD", "EUR"], found.is_euro[at]), '","amount":', cents_text(details.cents),
        ',"addTime":"', _moment(view, day, np.minimum(bits, found.bits[at])), '"}',
    )  # fmt: skip
    fine = chosen(_FINES, bits % np.uint64(len(_FINES)))
    cause = either(kind == 2, "Customer return deduction", either(kind == 3, fine, "Shipping expenses supplement"))
    sale = joined('{"secondOrderType":11,"inAndOut":1,"inAndOutName":"income","unitPrice":',
                  cents_text(np.maximum(details.cents // pieces, 1)), ",", common)  # fmt: skip
    change = joined('{"replenishNo":"K', number, '","replenishType":', chosen(["1", "2"], kind == 4),
                    ',"replenishCategory":"', cause, '",', common)  # fmt: skip
    return either(kind < 2, sale, change)


def _report_lines(view: View, found: _Reports) -> Lines:
    """Return a row for each report, followed by a row for each of its details; the last one closes the report."""
    details, count = _details(found), len(found.seller)
    place = np.arange(len(details.owner)) - np.searchsorted(details.owner, details.owner)
    is_change = details.kind >= 2
    starts_changes = is_change & (np.concatenate([[0], details.kind[:-1]]) < 2)
    is_last = np.concatenate([details.owner[1:] != details.owner[:-1], [True]])
    before = chosen(["", ",", '],"reportReplenishDetail":['], np.where(starts_changes, 2, place > 0))
    after = chosen(["", "]}", '],"reportReplenishDetail":[]}'], np.where(is_last, np.where(is_change, 1, 2), 0))
    text = pa.concat_arrays(
        [_report_heads(view, found, details), joined(before, _report_details(view, found, details), after)]
    )
    return _in_order(text, found, np.concatenate([np.arange(count), details.owner]))


def _in_order(text: Text, found: _Reports, owner: NDArray[np.int64]) -> Lines:
    """Return rows in order of their reports. Nothing is planted: a torn report would be lost whole."""
    order = np.argsort(owner, kind="stable")
    owner = owner[order]
    none = np.zeros(len(owner), dtype=bool)
    return Lines(taken(text, order), found.seller[owner], found.end_day[owner], owner, none, lambda _: b"")


def _statement_lines(view: View, found: _Reports) -> Lines:
    """Return one statement for sales (with fines and top-ups) and one for returns, with one item each."""
    count = len(found.seller)
    back = np.flatnonzero(found.cents["returns"])
    owner = np.concatenate([np.arange(count), back])
    is_return = np.arange(len(owner)) >= count
    price = np.where(is_return, found.cents["returns"][owner], found.cents["sales"][owner])
    fines, top_ups = (np.where(is_return, 0, found.cents[name][owner]) for name in ("fines", "top_ups"))
    income = cents_text(price - fines + top_ups)
    paid = either(found.is_paid[owner], _moment(view, found.pay_day[owner], found.bits[owner]), "")
    heads = joined(
        ',\n{"checkOrderNo":"', taken(_number(view, found, "C"), owner), chosen(["1", "2"], is_return),
        '","checkStatus":', chosen(["2", "3"], found.is_paid[owner]), ',"incomeExpenditureType":',
        chosen(["1", "2"], is_return), ',"businessCompletedTime":"',
        _moment(view, found.end_day[owner], found.bits[owner]), '","estimatePayTime":"',
        _moment(view, found.pay_day[owner], found.bits[owner]), '","completedPayTime":"', paid, '","currencyCode":"',
        chosen(["USD", "EUR"], found.is_euro[owner]), '","estimateIncomeMoneyTotal":', income, ',"reportOrderNo":"',
        taken(_number(view, found, "B"), owner), '","itemList":[',
    )  # fmt: skip
    items = joined(
        '{"skuCode":"I', whole_text(view.world.number(found.seller[owner]), 6), '-0","sellerCurrencyPrice":',
        cents_text(price), ',"performanceCost":', cents_text(fines), ',"subsidyTotalAmount":', cents_text(top_ups),
        ',"incomeAmount":', income, "}]}",
    )  # fmt: skip
    rank = 2 * owner + is_return
    order = np.argsort(np.concatenate([rank, rank]), kind="stable")
    both = np.concatenate([owner, owner])[order]
    none = np.zeros(len(both), dtype=bool)
    text = taken(pa.concat_arrays([heads, items]), order)
    return Lines(text, found.seller[both], found.end_day[both], both, none, lambda _: b"")


def hosted_files(view: View) -> Iterator[RawFile]:
    """Yield the report and statement files of the sellers in view, one per seller and delivery."""
    for source, mode, lines in (
        (FULL, "full hosted", _report_lines), (SEMI, "semi hosted", _statement_lines),
    ):  # fmt: skip
        found = _reports(view, source, mode)
        if found is not None:
            file_format = FileFormat(
                source,
                ".json",
                header=b"[\n",
                account=lambda seller: f"SH{view.world.seller_id(seller)}",
                separator=_SEPARATOR,
                footer=b"\n]\n",
            )
            yield from seller_files(view, file_format, lines(view, found))
