"""Own-site orders as Shopify's order export: one line per line item, order cells on the first line only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import CATEGORIES, MARKETS
from simulator.files.deliveries import seller_files
from simulator.files.raw_file import FileFormat, Lines, RawFile, View
from simulator.files.site_orders import SiteOrders, site_orders
from simulator.text_columns import cents_text, chosen, clock_text, day_text, either, joined, taken, whole_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.text_columns import Text

SOURCE = "shopify_orders"
COLUMNS: tuple[str, ...] = (
    "Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Fulfilled at", "Accepts Marketing",
    "Currency", "Subtotal", "Shipping", "Taxes", "Total", "Discount Code", "Discount Amount", "Shipping Method",
    "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem compare at price", "Lineitem sku",
    "Lineitem requires shipping", "Lineitem taxable", "Lineitem fulfillment status", "Billing Name", "Billing Street",
    "Billing Address1", "Billing Address2", "Billing Company", "Billing City", "Billing Zip", "Billing Province",
    "Billing Country", "Billing Phone", "Shipping Name", "Shipping Street", "Shipping Address1", "Shipping Address2",
    "Shipping Company", "Shipping City", "Shipping Zip", "Shipping Province", "Shipping Country", "Shipping Phone",
    "Notes", "Note Attributes", "Cancelled at", "Payment Method", "Payment Reference", "Refunded Amount", "Vendor",
    "Outstanding Balance", "Employee", "Location", "Device ID", "Id", "Tags", "Risk Level", "Source",
    "Lineitem discount", "Tax 1 Name", "Tax 1 Value", "Tax 2 Name", "Tax 2 Value", "Tax 3 Name", "Tax 3 Value",
    "Tax 4 Name", "Tax 4 Value", "Tax 5 Name", "Tax 5 Value", "Phone", "Receipt Number", "Duties",
    "Billing Province Name", "Shipping Province Name", "Payment ID", "Payment Terms Name", "Next Payment Due At",
    "Payment References",
)  # fmt: skip
HEADER = (",".join(COLUMNS) + "\n").encode()
_NAMES = (
    "Ann Example",
    "Ben Sample",
    "Cleo Muster",
    "Dario Prova",
    "Elsa Ejemplo",
    "Finn Specimen",
    "Gus Testman",
    "Hana Model",
)
_STREETS = ("1 Main St", "12 Mill Road, Flat 3", "7 High Street", "Am Markt 4", "Via Roma 9, Int. 2", "Rue Haute 21")
_CITIES = ("Springfield", "Riverton", "Neustadt", "Villanova", "Port Ville", "Lakeside")
_MAILS = ("example.com", "example.net", "example.org")
_SHIPPING_CENTS = 499


def _quoted(choices: tuple[str, ...]) -> list[str]:
    return [f'"{choice}"' if "," in choice else choice for choice in choices]


class _Orders:
    """Text of the cells on an order's first line."""

    def __init__(self, view: View, orders: SiteOrders) -> None:
        self.view, self.orders = view, orders
        self.market = view.world.firms.market[orders.seller]
        is_small = orders.cents <= 2 * _SHIPPING_CENTS
        self.shipping = np.where(is_small, 0, _SHIPPING_CENTS)
        self.goods = orders.cents - self.shipping
        self.discount = np.where(orders.bits % np.uint64(9) == 0, self.goods // 10, 0)
        offsets = [m.shop_offset for m in MARKETS]
        self.zone = chosen([f" {offset}" for offset in offsets], self.market)
        self.created = joined(day_text(view.first_day, orders.day), " ", clock_text(orders.second), self.zone)
        self.name = joined("#", whole_text(orders.number + 1001))
        self.mail = self._mail()
        self.is_pending = orders.bits % np.uint64(199) == 0

    def _mail(self) -> Text:
        orders = self.orders
        host = chosen(_MAILS, orders.buyer % len(_MAILS))
        return joined(
            "buyer", whole_text(self.view.world.number(orders.listed_at)), ".", whole_text(orders.buyer), "@", host
        )

    def statuses(self) -> tuple[Text, Text]:
        """Return the financial and the fulfilment status."""
        orders = self.orders
        is_all, is_refunded = orders.refunded_cents >= orders.cents, orders.refunded_cents > 0
        money = np.select(
            [orders.is_cancelled, is_refunded & is_all, is_refunded, self.is_pending], [4, 2, 1, 3], 0,
        )  # fmt: skip
        goods = np.where(orders.is_fulfilled, np.where(orders.bits % np.uint64(61) == 0, 2, 0), 1)
        return (
            chosen(["paid", "partially_refunded", "refunded", "pending", "voided"], money),
            chosen(["fulfilled", "unfulfilled", "partial"], goods),
        )

    def later(self, days: NDArray[np.int64], is_there: NDArray[np.bool_]) -> Text:
        """Return a time stamp some days after the order, empty where the event did not happen."""
        orders = self.orders
        shown = joined(
            day_text(self.view.first_day, orders.day + days), " ", clock_text(orders.second // 2 + 30_000), self.zone
        )
        return either(is_there & (orders.day + days < 7 * self.view.world.timeline.weeks), shown)


def _address(orders: SiteOrders, market: NDArray[np.int64]) -> Text:
    """Return the cells from name to phone of a billing or shipping block; buyers keep their address."""
    street = chosen(_quoted(_STREETS), orders.buyer % len(_STREETS))
    abroad = orders.bits % np.uint64(11) == 0
    country = chosen([m.country for m in MARKETS], np.where(abroad, orders.buyer % len(MARKETS), market))
    return joined(
        chosen(_NAMES, (orders.buyer + orders.listed_at) % len(_NAMES)), ",", street, ",", street, ",,,",
        chosen(_CITIES, orders.buyer % len(_CITIES)), ",", whole_text(10_000 + orders.buyer % 80_000), ",,", country,
        ",",
    )  # fmt: skip


def _head(cells: _Orders) -> tuple[Text, Text, Text]:
    """Return an order's cells before, between and after its first line item."""
    orders = cells.orders
    zero = np.zeros(len(orders.day), dtype=np.int64)
    money, goods = cells.statuses()
    paid = either(~orders.is_cancelled & ~cells.is_pending, cells.created)
    fulfilled = cells.later(orders.fulfilment_days, orders.is_fulfilled)
    code = either(cells.discount > 0, chosen(["SALE10", "WELCOME", "VIP"], orders.buyer % 3))
    before = joined(
        cells.name, ",", cells.mail, ",", money, ",", paid, ",", goods, ",", fulfilled, ",",
        chosen(["no", "yes"], orders.buyer % 2), ",", chosen([m.currency for m in MARKETS], cells.market), ",",
        cents_text(cells.goods), ",", cents_text(cells.shipping), ",0.00,", cents_text(orders.cents), ",", code, ",",
        cents_text(cells.discount), ",Standard,", cells.created, ",",
    )  # fmt: skip
    address = _address(orders, cells.market)
    cancelled = cells.later(zero + 1, orders.is_cancelled)
    by_hand = np.where(orders.is_fake, orders.bits % np.uint64(3) > 0, orders.bits % np.uint64(71) == 0)
    method = chosen(["Shopify Payments", "PayPal Express Checkout", "manual"], np.where(by_hand, 2, orders.buyer % 2))
    between = joined(
        address,
        ",",
        address,
        ",,,",
        cancelled,
        ",",
        method,
        ",",
        whole_text(orders.bits >> np.uint64(24)),
        ",",
        cents_text(orders.refunded_cents),
        ",",
    )
    number = 4_000_000_000_000 + cells.view.world.number(orders.seller) * 1_000_000 + orders.number
    risk = chosen(["Low", "Medium", "High"], np.where(orders.is_high_risk, 2, orders.bits % np.uint64(23) == 0))
    after = joined(",0.00,,,,", whole_text(number), ",,", risk, ",web,")
    return before, between, after


def _lines(view: View, orders: SiteOrders) -> Lines:
    """Return export lines: an order's first line in full, further line items with only their own cells."""
    cells = _Orders(view, orders)
    owner = np.repeat(np.arange(len(orders.day)), orders.lines)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(orders.lines) - orders.lines, orders.lines)
    share = (cells.goods + cells.discount)[owner] // orders.lines[owner]
    rest = (cells.goods + cells.discount)[owner] - share * (orders.lines[owner] - 1)
    amount = np.where(place == 0, rest, share)
    category = view.world.firms.category[orders.seller[owner]]
    product = (orders.bits[owner] >> np.uint64(5)).astype(np.int64) % 6 + place
    shop = whole_text(view.world.number(orders.seller[owner]), 6)
    item = joined(
        "1,", chosen([f"{c.name} {n}" for c in CATEGORIES for n in range(8)], category * 8 + product),
        ",", cents_text(amount), ",,SKU-", shop, "-", whole_text(product),
        ",true,true,", chosen(["pending", "fulfilled"], orders.is_fulfilled[owner]), ",",
    )  # fmt: skip
    is_first = place == 0
    vendor = joined("Shop ", shop)
    blank_head = taken(joined(cells.name, ",", cells.mail, "," * 14, cells.created, ","), owner)
    before, between, after = (taken(part, owner) for part in _head(cells))
    full = joined(before, item, between, vendor, after, "0.00" + "," * 19 + "\n")
    short = joined(blank_head, item, "," * 26, vendor, "," * 9, "0.00" + "," * 19 + "\n")

    def junk(row: int) -> bytes:
        values = {"Name": f"#9{row:06d}", "Email": "broken@example.com", "Financial Status": "paid", "Currency": "USD"}
        values |= {
            "Total": "12,x4",
            "Subtotal": "12.40",
            "Created at": "2021-02-30 10:00:00 -0500",
            "Lineitem quantity": "1",
        }
        values |= {"Id": f"3{row:012d}", "Lineitem name": "broken", "Lineitem price": "12.40", "Risk Level": "Low"}
        return (",".join(f'"{v}"' if "," in v else v for v in (values.get(c, "") for c in COLUMNS)) + "\n").encode()

    text = either(is_first, full, short)
    return Lines(text, orders.seller[owner], orders.day[owner], owner, is_first, junk)


def shopify_files(view: View) -> Iterator[RawFile]:
    """Yield the order exports of the sellers in view, one per seller and delivery (shop time)."""
    orders = site_orders(view)
    if orders is None:
        return
    is_seen = view.delivers(SOURCE, orders.seller, orders.day // 7)
    seen = SiteOrders(**{name: getattr(orders, name)[is_seen] for name in SiteOrders.__dataclass_fields__})
    if not len(seen.day):
        return
    yield from seller_files(view, FileFormat(SOURCE, ".csv", HEADER, view.shop), _lines(view, seen))
