"""Stock counts, supplier orders and shipments of pool members, forged ones included.

Trade forgers add orders that no supplier invoices. The waybills are invented or belong to other shipments; no money is
paid and no customs declaration follows. Some honest sellers share one of these signs: they order through an agent that
invoices under another name, order in round sums, or ship on a forwarder's common waybill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import CATEGORIES, MARKETS
from simulator.economy.fraud import FORGED_TRADE
from simulator.economy.trade import PRODUCTION_WEEKS, TRANSIT_WEEKS
from simulator.files.pool.rows import Chances, PoolRows, members, moments, month_ends
from simulator.observation.fraud_cases import fraud_cases
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import cents_text, chosen, day_text, either, joined, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text

_FORGED_EVERY_WEEKS = 4
_COMMON_BILL_SHARE = 0.08  # share of true shipments on a forwarder's common waybill
_FORWARDERS = 3
_AGENT_SHARE = 0.12  # share of sellers that order through an agent
_ROUND_SHARE = 0.15  # share of sellers that order in round sums
_USUAL_LEAD_WEEKS = PRODUCTION_WEEKS + TRANSIT_WEEKS


def _goods(seller_category: NDArray[np.int64]) -> Text:
    return chosen([c.name for c in CATEGORIES], seller_category)


def _piece_cost(world: World, seller: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the cost of a piece, account currency."""
    cost: NDArray[np.float64] = np.maximum(world.firms.unit_price[seller] * world.firms.goods_cost_share[seller], 0.5)
    return cost


def inventory_snapshots(world: World) -> PoolRows:
    """Return each member's month-end stock; old stock grows with cover, gaps with low cover and low quality."""
    at = moments(world, members(world, "inventory_snapshot", 0.9), month_ends(world))
    firms, chances = world.firms, Chances(world, "inventory_snapshot", at.seller, at.week)
    value = world.weekly["stock"][at.week, at.seller]
    pieces = np.rint(value / at.rate / _piece_cost(world, at.seller)).astype(np.int64)
    sold = np.rint(at.sales / firms.unit_price[at.seller]).astype(np.int64)
    cover_weeks = 4 * pieces / np.maximum(sold, 1)
    old = np.clip((cover_weeks - 14) / 80 + 0.05 * np.exp(-0.5 * at.quality + 0.5 * chances.bell("old")), 0.0, 0.9)
    middle = np.clip(0.12 + cover_weeks / 120 + 0.05 * chances.bell("middle"), 0.0, 1.0 - old)
    over_half = np.floor(pieces * old).astype(np.int64)
    over_quarter = np.floor(pieces * middle).astype(np.int64)
    very_old = over_half // 3
    skus = 3 + np.floor(40 * Chances(world, "sku", at.seller).even("count") ** 2).astype(np.int64)
    gaps: NDArray[np.float64] = np.clip(0.35 - cover_weeks / 40, 0.0, 0.35) + 0.04 * np.exp(-0.5 * at.quality)
    out = np.minimum(chances.count("out", skus * gaps), skus)
    spoilt = np.minimum(chances.count("spoilt", 0.012 * pieces * np.exp(-0.4 * at.quality)), pieces)
    is_platform = firms.is_fulfilled_by_market[at.seller]
    return PoolRows(
        "inventory_snapshot", at.seller, at.day, joined("INV-", whole_text(at.week)),
        {
            "sku_group": _goods(firms.category[at.seller]), "warehouse_id": chosen(["WH-OWN", "FBA"], is_platform),
            "warehouse_kind": chosen(["overseas", "platform"], is_platform),
            "country": chosen([m.country for m in MARKETS], firms.market[at.seller]),
            "is_platform_bound": chosen(["false", "true"], is_platform), "on_hand_quantity": whole_text(pieces),
            "unsellable_quantity": whole_text(spoilt),
            "aged_0_90_days_quantity": whole_text(pieces - over_half - over_quarter),
            "aged_91_180_days_quantity": whole_text(over_quarter),
            "aged_181_270_days_quantity": whole_text(over_half - very_old - very_old // 2),
            "aged_271_365_days_quantity": whole_text(very_old // 2),
            "aged_over_365_days_quantity": whole_text(very_old), "sold_30d_quantity": whole_text(sold),
            "sku_count": whole_text(skus), "stocked_out_sku_count": whole_text(out),
            "stock_value": cents_text(to_cents(value)), "currency": "CNY",
        },
    )  # fmt: skip


@dataclass(frozen=True)
class Orders:
    """Supplier orders, true and forged; arrays of shape (orders,).

    Attributes:
        seller: Seller that ordered.
        week: Week of the order.
        arrival_week: Week in which the goods arrive; may be past the world's end.
        cost: Goods at cost, CNY.
        number: Number within the seller, from 1; it does not reveal forged orders.
        is_forged: Whether nothing was ever ordered (never written to raw files).
    """

    seller: NDArray[np.int64]
    week: NDArray[np.int64]
    arrival_week: NDArray[np.int64]
    cost: NDArray[np.float64]
    number: NDArray[np.int64]
    is_forged: NDArray[np.bool_]


def supplier_orders(world: World) -> Orders:
    """Return all orders of a district: the true ones, and a forged one about every four weeks of a forger's case."""
    rows = world.events.get("orders", {})
    seller, week, arrival = (rows[name].astype(np.int64) for name in ("seller", "week", "arrival_week"))
    found = fraud_cases(world, FORGED_TRADE)
    weeks = np.arange(world.timeline.weeks)[None, :]
    runs = (weeks >= found.first_week[:, None]) & (weeks < found.end_week[:, None])
    runs &= weeks < world.closed_week[found.seller][:, None]
    case, at = np.nonzero(runs & ((weeks + found.seller[:, None]) % _FORGED_EVERY_WEEKS == 1))
    forger = found.seller[case]
    noise = np.exp(0.4 * Chances(world, "forged order", forger, at).bell("amount"))
    monthly = 4 * np.exp(world.firms.log_level[forger]) * world.firms.goods_cost_share[forger]
    cost = np.round(np.maximum(found.size[case] * noise * monthly * world.timeline.cny_per_usd[at], 1_000.0), 2)
    sellers, placed = np.concatenate([seller, forger]), np.concatenate([week, at])
    is_forged = np.arange(len(sellers)) >= len(seller)
    order = np.lexsort((is_forged, placed, sellers))
    _, starts, counts = np.unique(sellers[order], return_index=True, return_counts=True)
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order)) - np.repeat(starts, counts) + 1
    costs = np.concatenate([rows["cost"].astype(np.float64), cost])
    return Orders(sellers, placed, np.concatenate([arrival, at + _USUAL_LEAD_WEEKS]), costs, number, is_forged)


def order_numbers(orders: Orders) -> Text:
    """Return the reference of each order within its seller."""
    return joined("PO-", whole_text(orders.number, 4))


def waybills(world: World, orders: Orders) -> Text:
    """Return each order's waybill as customs sees it; a forged order has an invented one or another shipment's."""
    bits = scatter(world.settings.seed, "forged waybill", orders.seller, orders.week)
    forwarder = 900_000 + (bits % np.uint64(_FORWARDERS)).astype(np.int64)
    is_common = ~orders.is_forged & (unit_interval(bits) < _COMMON_BILL_SHARE)
    stranger = (bits % np.uint64(world.firms.count)).astype(np.int64)
    week, seller = orders.week.copy(), np.where(orders.is_forged, stranger, orders.seller)
    shipped = np.flatnonzero(~orders.is_forged)
    reused = np.flatnonzero(orders.is_forged & ((bits >> np.uint64(40)) % np.uint64(2) == 0) & (len(shipped) > 0))
    source = shipped[(bits[reused] >> np.uint64(20)).astype(np.int64) % max(len(shipped), 1)]
    week[reused], seller[reused] = orders.week[source], orders.seller[source]
    serial = np.where(is_common, forwarder, world.number(seller) % 900_000)
    return joined("BL", whole_text((week + PRODUCTION_WEEKS) * 1_000_000 + serial, 9))


def main_supplier(world: World, seller: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number, within the district, of the supplier that each seller buys most from."""
    network = world.network
    main: NDArray[np.int64] = network.suppliers[seller, network.supplier_weights[seller].argmax(axis=1)]
    return main


def _suppliers(world: World, orders: Orders) -> Text:
    """Return the main supplier as in invoices; most forgers, and honest sellers with an agent, name another one."""
    network, main = world.network, main_supplier(world, orders.seller)
    bits = scatter(world.settings.seed, "another supplier", orders.seller)
    other = (bits % np.uint64(network.supplier_count)).astype(np.int64)
    names_other = unit_interval(bits) < np.where(orders.is_forged, 0.7, _AGENT_SHARE)
    return joined("V", whole_text(world.number(np.where(names_other, other, main)), 5))


def _chosen(orders: Orders, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Orders:
    return Orders(*(getattr(orders, name)[kept] for name in Orders.__dataclass_fields__))


def purchase_orders(world: World) -> PoolRows:
    """Return members' orders and the later receipt of the goods, which is later for sellers of low quality."""
    found = supplier_orders(world)
    orders = _chosen(found, members(world, "purchase_order", 0.75)[found.seller])
    chances = Chances(world, "purchase_order", orders.seller, orders.week)
    placed = 7 * orders.week + (5 * chances.even("day")).astype(np.int64)
    quality = world.weekly["quality"][orders.week, orders.seller]
    late = np.maximum(np.rint(6 * np.exp(-0.35 * quality) * chances.even("late") ** 3), 0).astype(np.int64)
    received = 7 * orders.arrival_week + late
    came = received < 7 * world.timeline.weeks
    both = np.concatenate([np.arange(len(placed)), np.flatnonzero(came)])
    is_receipt = np.arange(len(both)) >= len(placed)
    seller, day = orders.seller[both], np.where(is_receipt, received[both], placed[both])
    rate = world.timeline.cny_per_usd[orders.week[both]]
    pieces = np.maximum(np.rint(orders.cost[both] / rate / _piece_cost(world, seller)), 1).astype(np.int64)
    amount = orders.cost[both]
    in_round_sums = Chances(world, "round sums", seller).even("habit") < np.where(
        orders.is_forged[both], 0.5, _ROUND_SHARE
    )
    amount = np.where(in_round_sums, np.maximum(np.rint(amount / 1_000), 1) * 1_000, amount)
    promised = day_text(world.timeline.first_day, placed[both] + 47)
    number = order_numbers(_chosen(orders, both))
    return PoolRows(
        "purchase_order", seller, day, joined(number, chosen(["-P", "-R"], is_receipt)),
        {
            "order_number": number, "supplier_id": _suppliers(world, _chosen(orders, both)),
            "entry_type": chosen(["placed", "received"], is_receipt),
            "sku_group": _goods(world.firms.category[seller]), "quantity": whole_text(pieces),
            "amount": cents_text(to_cents(amount)), "currency": "CNY",
            "promised_on": either(is_receipt, "", promised),
            "payment_terms_days": whole_text(7 * (PRODUCTION_WEEKS + world.firms.supplier_credit_weeks[seller])),
            "lead_time_days": either(is_receipt, whole_text(received[both] - placed[both]), ""),
        },
    )  # fmt: skip


def logistics_events(world: World) -> PoolRows:
    """Return the milestones of members' shipments: picked up, departed, warehoused abroad.

    Half of the forged shipments end at the pick-up: nothing ever leaves the country.
    """
    found = supplier_orders(world)
    orders = _chosen(found, members(world, "logistics_event", 0.7)[found.seller])
    chances = Chances(world, "logistics_event", orders.seller, orders.week)
    ready = 7 * (orders.week + PRODUCTION_WEEKS) + (7 * chances.even("ready")).astype(np.int64)
    departed = ready + 2 + (6 * chances.even("departed")).astype(np.int64)
    arrived = np.maximum(7 * orders.arrival_week + (5 * chances.even("arrived")).astype(np.int64), departed + 3)
    ends_early = orders.is_forged & (chances.even("left") < 0.5)
    days = np.stack([ready, departed, arrived], axis=1)
    happened = (days < 7 * world.timeline.weeks) & ~(ends_early[:, None] & (np.arange(3) > 0)[None, :])
    order, step = (np.asarray(place, dtype=np.int64) for place in np.nonzero(happened))
    shipment = _chosen(orders, order)
    day = days[order, step]
    delay = np.where(step == 2, day - 7 * (shipment.week + PRODUCTION_WEEKS + 4), 0)
    number = order_numbers(shipment)
    by_air = (chances.even("mode") < 0.12)[order]
    return PoolRows(
        "logistics_event", shipment.seller, day, joined(number, "-", whole_text(step)),
        {
            "shipment_id": joined("SH-", number), "waybill_number": waybills(world, shipment), "order_id": number,
            "direction": "outbound", "milestone": chosen(["picked_up", "departed", "warehoused"], step),
            "transport_mode": chosen(["sea", "air"], by_air), "origin_country": "CN",
            "destination_country": chosen([m.country for m in MARKETS], world.firms.market[shipment.seller]),
            "transit_days": either(step == 2, whole_text(day - ready[order]), ""),
            "delay_days": either(step == 2, whole_text(delay), ""),
        },
    )  # fmt: skip
