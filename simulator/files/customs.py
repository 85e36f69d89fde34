"""Export declarations (报关单) as JSON arrays: one for each shipped supplier order, with one to three items.

The declared value is the cost of the goods with a mark-up and noise. Quantity and weight follow the goods themselves,
so over-declared goods show high unit prices. Unit costs differ between honest firms, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import CATEGORIES, CUSTOMS_OFFICES, MARKETS, SUPERVISION_MODES
from simulator.economy.fraud import OVER_DECLARATION
from simulator.economy.trade import PRODUCTION_WEEKS
from simulator.files.deliveries import seller_files
from simulator.files.raw_file import FileFormat, Lines, RawFile, View
from simulator.observation.fraud_cases import size_in_force
from simulator.observation.name_spellings import CUSTOMS_SPELLINGS, ENTITY_SHARES, entity_spellings
from simulator.observation.overseas_entities import sold_to
from simulator.population.names import credit_code
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import cents_text, chosen, day_text, either, joined, taken, whole_text
from simulator.timeline import years_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.text_columns import Text

SOURCE = "customs_declaration"
_KILOGRAM = "035"
_SEPARATOR = b",\n"
# Warehouses that receive goods for many sellers; most sellers name their own or their group's entity.
_WAREHOUSES = ("OCEANIC FULFILMENT LLC", "NORTH STAR LOGISTICS INC", "BLUE HARBOR LAGER GMBH")
_AGENTS = ("深圳市恒通报关有限公司", "宁波联运国际货代有限公司", "义乌众达供应链有限公司", "广州启航报关行")


_UNIT_COST = np.array([c.unit_price * c.goods_cost_share for c in CATEGORIES])
_UNIT_KILOGRAMS = np.array([c.kg_per_unit for c in CATEGORIES])


def _kilograms(worth: NDArray[np.float64], category: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the net weight of goods by their value in USD, at least one kilogram."""
    weight: NDArray[np.int64] = np.rint(worth / _UNIT_COST[category] * _UNIT_KILOGRAMS[category]).astype(np.int64)
    return np.maximum(weight, 1)


class _Declarations:
    """Declarations of the sellers in view; each array has one entry per declaration."""

    def __init__(self, view: View) -> None:
        rows = view.rows("orders", SOURCE)
        world = view.world
        is_shipped = rows["week"].astype(np.int64) + PRODUCTION_WEEKS < world.timeline.weeks
        self.seller = rows["seller"].astype(np.int64)[is_shipped]
        self.week = rows["week"].astype(np.int64)[is_shipped] + PRODUCTION_WEEKS
        cost = rows["cost"].astype(np.float64)[is_shipped]
        seed = world.settings.seed
        self.bits = scatter(seed, "declaration", self.seller, self.week)
        self.day = 7 * self.week + (self.bits % np.uint64(7)).astype(np.int64)
        noise = unit_interval(scatter(seed, "declared", self.seller, self.week)) - 0.5
        habit = unit_interval(scatter(seed, "declaring habit", self.seller)) - 0.5
        self.worth = cost / world.timeline.cny_per_usd[self.week]
        excess = size_in_force(world, OVER_DECLARATION)[self.week, self.seller]
        self.value = self.worth * 1.06 * np.exp(0.5 * noise + 0.4 * habit) * (1 + excess)
        self.items = 1 + (self.bits >> np.uint64(9)) % np.uint64(10) // np.uint64(4)
        self.items = self.items.astype(np.int64)
        self.category = world.firms.category[self.seller]
        self.market = world.firms.market[self.seller]
        mode = world.firms.supervision[self.seller]
        changed = (self.bits >> np.uint64(14)) % np.uint64(25) == 0
        self.mode = np.where(changed, (mode + 1) % len(SUPERVISION_MODES), mode)


def _pick(choices: tuple[str, ...], bits: NDArray[np.uint64], shift: int) -> Text:
    return chosen(choices, (bits >> np.uint64(shift)) % np.uint64(len(choices)))


def _consignees(view: View, found: _Declarations) -> Text:
    """Return the consignee abroad: the seller's or its group's own entity, a warehouse, or ``TO ORDER``."""
    bits = scatter(view.world.settings.seed, "consignee", found.seller)
    entity, at = np.unique(sold_to(view.world, found.seller), return_inverse=True)
    chance = unit_interval(scatter(view.world.settings.observation_seed, "entity spelling", found.seller, found.week))
    which = np.searchsorted(np.cumsum(ENTITY_SHARES), chance, side="right").clip(max=len(ENTITY_SHARES) - 1)
    spellings = [spelling.text for number in entity.tolist() for spelling in entity_spellings(number)]
    own = chosen(spellings, at * len(ENTITY_SHARES) + which)
    named = either(bits % np.uint64(100) < 15, _pick(_WAREHOUSES, bits, 20), own)
    return either(found.bits % np.uint64(8) == 0, "TO ORDER", named)


def _company(view: View, found: _Declarations) -> tuple[Text, Text]:
    """Return the exporter's name as the declarant wrote it, and its social credit code."""
    share = view.world.settings.observation.other_spelling_share
    chance = unit_interval(scatter(view.world.settings.observation_seed, "spelling", found.seller, found.week))
    other = 1 + np.floor(chance / max(share, 1e-9) * (CUSTOMS_SPELLINGS - 1)).astype(np.int64)
    names = view.observation.names.in_customs
    spellings = [spelling.text for seller in view.sellers.tolist() for spelling in names[seller]]
    place = found.seller - view.sellers[0]
    codes = [credit_code(int(number)) for number in view.world.number(view.sellers)]
    return chosen(spellings, place * CUSTOMS_SPELLINGS + np.where(chance < share, other, 0)), chosen(codes, place)


def _heads(view: View, found: _Declarations) -> Text:
    """Return the part of each declaration before its item list."""
    bits, seller = found.bits, found.seller
    office = scatter(view.world.settings.seed, "customs office", seller)
    at_office = _pick(CUSTOMS_OFFICES, office, 3)
    year = years_of(view.first_day, found.day)
    serial = found.week * 1_000_000 + view.world.number(seller)
    entry = joined(at_office, whole_text(year, 4), "0", whole_text(serial, 9))
    company = whole_text(view.world.number(seller), 6)
    exporter, social = _company(view, found)
    weight = _kilograms(found.worth, found.category)
    date = day_text(view.first_day, found.day, "%Y%m%d")
    country = chosen([m.country3 for m in MARKETS], found.market)
    agent = (office >> np.uint64(20)) % np.uint64(len(_AGENTS))
    cells: list[tuple[str, list[Text | str]]] = [
        ("entryId", [entry]), ("preEntryId", ["E", entry]), ("consignorCname", [exporter]),
        ("cnsnTradeCode", ["4403", company]), ("cnsnTradeScc", [social]),
        ("consigneeEname", [_consignees(view, found)]),
        ("ownerName", [exporter]), ("ownerScc", [social]),
        ("agentName", [chosen(_AGENTS, agent)]), ("agentCode", ["53", whole_text(agent, 8)]),
        ("iEPort", [at_office]), ("customMaster", [at_office]), ("iEDate", [date]),
        ("cusTrafMode", [_pick(("2", "2", "5"), bits, 33)]),
        ("trafName", ["VESSEL ", whole_text(bits % np.uint64(90), 2)]), ("billNo", ["BL", whole_text(serial, 9)]),
        ("supvModeCdde", [chosen(SUPERVISION_MODES, found.mode)]), ("cutMode", ["101"]),
        ("contrNo", ["C", whole_text(serial, 9)]), ("cusTradeNationCode", [country]), ("cusTradeCountry", [country]),
        ("distinatePort", [country, "000"]), ("transMode", [_pick(("3", "3", "3", "1", "2"), office, 40)]),
        ("packNo", [whole_text(np.maximum(weight // 12, 1))]), ("grossWt", [whole_text(weight + weight // 10)]),
        ("netWt", [whole_text(weight)]),
    ]  # fmt: skip
    parts: list[Text | str] = [f"{_SEPARATOR.decode()}{{"]
    for name, values in cells:
        parts += [f'"{name}":"', *values, '",']
    return joined(*parts, '"decMergeListVo":[')


def _items(view: View, found: _Declarations, owner: NDArray[np.int64], place: NDArray[np.int64]) -> Text:
    """Return one JSON object per item; the declared value is split over the items, the first takes the remainder."""
    value = np.rint(found.value * 100).astype(np.int64)
    share = (value * 3 // 10)[owner]
    cents = np.where(place == 0, value[owner] - share * (found.items[owner] - 1), share)
    worth = found.worth[owner] * cents / np.maximum(value[owner], 1)
    weight = _kilograms(worth, found.category[owner])
    habit = unit_interval(scatter(view.world.settings.seed, "cost of a piece", found.seller[owner])) - 0.5
    quantity = np.maximum(np.rint(worth / _UNIT_COST[found.category[owner]] * np.exp(habit)), 1).astype(np.int64)
    codes = [code for c in CATEGORIES for code in c.commodity_codes]
    main = scatter(view.world.settings.seed, "main product", found.seller[owner]) % np.uint64(3)
    code = found.category[owner] * 3 + (main.astype(np.int64) + place) % 3
    country = chosen([m.country3 for m in MARKETS], found.market[owner])
    return joined(
        '{"gNo":"', whole_text(place + 1), '","codeTs":"', chosen(codes, code), '","gName":"',
        chosen([c.name_zh for c in CATEGORIES], found.category[owner]), '","gModel":"M', whole_text(code, 2),
        '","gQty":"',
        whole_text(quantity), '","gUnit":"011","qty1":"', whole_text(weight), f'","unit1":"{_KILOGRAM}","declPrice":"',
        cents_text(np.maximum(cents // quantity, 1)), '","declTotal":"', cents_text(cents),
        '","tradeCurr":"USD","cusOriginCountry":"CHN","destinationCountry":"', country, '","districtCode":"44199"}',
    )  # fmt: skip


def _item_lines(view: View) -> Lines:
    """Return items in order; the first of a declaration includes its head, the last closes it."""
    found = _Declarations(view)
    owner = np.repeat(np.arange(len(found.seller)), found.items)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(found.items) - found.items, found.items)
    start = either(place == 0, taken(_heads(view, found), owner), ",")
    end = chosen(["", "]}"], place == found.items[owner] - 1)
    text = joined(start, _items(view, found, owner, place), end)

    def junk(row: int) -> bytes:
        bad = ("-", "无")[row % 2]
        return (
            ',{"gNo":"50","codeTs":"3926909090","gName":"样品","gModel":"","gQty":"1","gUnit":"011","qty1":"1","unit1":"035",'
            f'"declPrice":"{bad}","declTotal":"{bad}","tradeCurr":"USD","cusOriginCountry":"CHN","destinationCountry":"USA",'
            '"districtCode":"44199"}'
        ).encode()

    return Lines(text, found.seller[owner], found.day[owner], owner, place > 0, junk)


def customs_files(view: View) -> Iterator[RawFile]:
    """Yield the declaration files of the sellers in view, one per seller and delivery."""
    if not view.rows("orders", SOURCE).get("seller", np.array([])).size:
        return
    file_format = FileFormat(SOURCE, ".json", header=b"[\n", separator=_SEPARATOR, footer=b"\n]\n")
    yield from seller_files(view, file_format, _item_lines(view))
