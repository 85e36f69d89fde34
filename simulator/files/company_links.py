"""Companies, owners, directors, shared attributes and guarantees as FollowTheMoney JSON lines.

Control groups may hide behind nominees: a group shows only the ties that the network drew for it. Honest sellers at a
service address share that address and nothing else. A few unrelated sellers share an agent's phone, an agency's device
or another seller's device.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import CITIES
from simulator.files.deliveries import district_file
from simulator.files.raw_file import DistrictContent, RawFile
from simulator.observation.link_registry import Finding, extra_lag_days, is_unregistered, registry_lag_days, sale_days
from simulator.observation.shared_devices import SharedDevice, shared_devices
from simulator.population.names import credit_code
from simulator.population.network import SHARED_TIES
from simulator.randomness import scatter, unit_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.observation.availability import Observation
    from simulator.observation.name_spellings import ObservedNames

SOURCE = "company_links"
_LONGEST_LAG_DAYS = {
    "owner": 60, "director": 60, "address": 60, "phone": 30, "bank_account": 20, "device": 7, "guarantor": 45,
}  # fmt: skip
_PREFIX = {"owner": "pe", "director": "pe", "address": "ad", "phone": "ph", "bank_account": "ba", "device": "dv"}
_REGISTERED = frozenset({"owner", "director", "address"})  # the other ties come from logs
_AGENT_PHONE_SHARE = 0.02
_REGISTRY_SECOND = 21_600  # six in the morning
_OPEN = -1  # no end


@dataclass(frozen=True)
class _Tie:
    """A tie of one seller to a node."""

    kind: str
    seller: int
    node: str
    from_day: int
    share: float
    until_day: int = _OPEN


@dataclass(frozen=True)
class _Entry:
    """A tie as the register shows it: its number, the day it is first seen and the day it ends there."""

    tie: _Tie
    number: int
    seen_day: int
    end_day: int


def _node(world: World, kind: str, seller: int, chance: float) -> tuple[str, bool]:
    """Return the node that a seller is tied to, and whether its control group shares it."""
    network, prefix = world.network, _PREFIX[kind]
    group, hub = int(network.group[seller]), int(network.hub[seller])
    if group >= 0 and network.group_ties[group, SHARED_TIES.index(kind)]:
        return f"{prefix}-{kind[0]}g{group + world.first_seller + 1:05d}", True
    if kind == "address" and hub >= 0:
        return f"{prefix}-hub{hub + world.first_seller + 1:03d}", False
    if kind == "phone" and chance < _AGENT_PHONE_SHARE:
        agent = world.first_seller + int(chance / _AGENT_PHONE_SHARE * max(world.firms.count // 100, 1))
        return f"{prefix}-agent{agent + 1:03d}", False
    own = "o" if kind == "director" else kind[0]  # owners run their own firm unless the group shares a director
    return f"{prefix}-{own}{seller + world.first_seller + 1:06d}", False


def _ties(world: World) -> list[_Tie]:
    """Return the ties of all sellers to people and attributes."""
    firms, seed, sellers = world.firms, world.settings.seed, np.arange(world.firms.count)
    found: list[_Tie] = []
    for number, kind in enumerate(SHARED_TIES):
        chance = unit_interval(scatter(seed, f"tie {kind}", sellers))
        late = unit_interval(scatter(seed, f"late tie {kind}", sellers))
        for seller in range(firms.count):
            node, is_shared = _node(world, kind, seller, float(chance[seller]))
            begins = int(firms.founded_day[seller]) + (0 if number < 3 else int(20 * chance[seller]))
            if kind == "device":
                begins = 7 * int(firms.entry_week[seller])
            if is_shared and late[seller] < 0.2:  # joins the group, or becomes careless, only later
                begins = 7 * int(firms.entry_week[seller]) + int(late[seller] * 5 * 500)
            found.append(_Tie(kind, seller, node, begins, 51.0 + np.floor(49.0 * chance[seller])))
    return _with_sales(world, found) + [_foreign_tie(world, shared) for shared in shared_devices(world)]


def _with_sales(world: World, ties: list[_Tie]) -> list[_Tie]:
    """End the ownerships whose shares are sold and add the new owners, who have no other tie."""
    sold = sale_days(world).tolist()
    found, added = [], []
    for tie in ties:
        day = sold[tie.seller]
        if tie.kind != "owner" or day <= tie.from_day:
            found.append(tie)
            continue
        found.append(replace(tie, until_day=day))
        node = f"{_PREFIX['owner']}-n{tie.seller + world.first_seller + 1:06d}"
        added.append(_Tie("owner", tie.seller, node, day, tie.share))
    return found + added


def _extra_days(world: World, ties: list[_Tie]) -> NDArray[np.int64]:
    """Return the extra days until a register shows each tie; device, phone and account logs are never that late."""
    return np.where([tie.kind in _REGISTERED for tie in ties], extra_lag_days(world, np.arange(len(ties))), 0)


def _entries(world: World, ties: list[_Tie]) -> list[_Entry]:
    """Return the ties as the register shows them, without those it never shows."""
    numbers = np.arange(len(ties))
    by_kind = {kind: registry_lag_days(world, numbers, longest) for kind, longest in _LONGEST_LAG_DAYS.items()}
    extra = _extra_days(world, ties).tolist()
    is_registered = np.array([tie.kind in _REGISTERED for tie in ties])
    is_hidden = (is_registered & is_unregistered(world, numbers, np.array([tie.seller for tie in ties]))).tolist()
    last_day = 7 * world.timeline.weeks - 1
    found = []
    for number, tie in enumerate(ties):
        lag = int(by_kind[tie.kind][number])
        seen = tie.from_day + lag + extra[number]
        ends = max(tie.until_day + lag, seen) if tie.until_day != _OPEN else _OPEN
        if not is_hidden[number] and seen <= last_day:
            found.append(_Entry(tie, number, seen, ends if ends <= last_day else _OPEN))
    return found


def _foreign_tie(world: World, shared: SharedDevice) -> _Tie:
    """Return a tie to the device or phone of an unrelated seller or of an agency."""
    agency = f"{_PREFIX[shared.kind]}-agency{world.first_seller + shared.agency + 1:05d}"
    node = _node(world, shared.kind, shared.owner, 1.0)[0] if shared.owner >= 0 else agency
    return _Tie(shared.kind, shared.seller, node, shared.from_day, 0.0)


def _date(world: World, day: int) -> str:
    return str(world.timeline.first_day + day)


def _line(ident: str, schema: str, properties: dict[str, str], first_seen: str) -> str:
    body = {"id": ident, "schema": schema, "properties": {k: [v] for k, v in properties.items() if v}}
    return json.dumps({**body, "first_seen": f"{first_seen}T00:00:00"}, ensure_ascii=False)


def _company(world: World, names: ObservedNames, seller: int, lag: int) -> str:
    founded, alias = int(world.firms.founded_day[seller]), names.alias[seller]
    return _line(
        f"co-{world.seller_id(seller)}", "Company",
        {
            "name": names.registered[seller], "alias": alias.text if alias else "",
            "idNumber": world.seller_id(seller),
            "registrationNumber": credit_code(seller + world.first_seller + 1), "jurisdiction": "cn",
            "incorporationDate": _date(world, founded),
        },
        _date(world, founded + lag),
    )  # fmt: skip


def _node_line(node: str, number: int, first_seen: str) -> str:
    """Return the line of a person, address, bank account, phone or device."""
    prefix = node[:2]
    city = CITIES[number % len(CITIES)]
    schema, properties = {
        "pe": ("Person", {"name": f"人员 {node[3:]}", "nationality": "cn"}),
        "ad": ("Address", {"full": f"{city}市示例路{number + 1}号", "city": city, "country": "cn"}),
        "ba": ("BankAccount", {"accountNumber": f"6222{number:012d}", "bankName": "示例银行"}),
        "ph": (
            "UserAccount",
            {"service": "phone", "username": f"+86 199{number:08d}", "number": f"+86199{number:08d}"},
        ),
        "dv": ("UserAccount", {"service": "device", "username": f"device-{node[3:]}"}),
    }[prefix]
    return _line(node, schema, properties, first_seen)


def _link_id(world: World, number: int) -> str:
    return f"ln-{10 * world.first_seller + number + 1:07d}"


def _edge_line(world: World, entry: _Entry) -> str:
    tie = entry.tie
    company, start = f"co-{world.seller_id(tie.seller)}", _date(world, tie.from_day)
    end = "" if entry.end_day == _OPEN else _date(world, entry.end_day)
    schema, properties = {
        "owner": ("Ownership", {"owner": tie.node, "asset": company, "percentage": f"{tie.share:.2f}"}),
        "director": ("Directorship", {"director": tie.node, "organization": company, "role": "legal representative"}),
    }.get(tie.kind, ("UnknownLink", {"subject": company, "object": tie.node, "role": tie.kind}))
    dated = {**properties, "startDate": start, "endDate": end}
    return _line(_link_id(world, entry.number), schema, dated, _date(world, entry.seen_day))


def guarantee_start_days(world: World) -> NDArray[np.int64]:
    """Return the day each guarantee was signed, up to 90 days after both sellers have entered."""
    network, firms = world.network, world.firms
    both = 7 * np.maximum(firms.entry_week[network.guarantor], firms.entry_week[network.guaranteed])
    wait = scatter(world.settings.seed, "guarantee", network.guarantor, network.guaranteed) % np.uint64(90)
    return np.asarray(both + wait.astype(np.int64), dtype=np.int64)


def _guarantee_lines(world: World, first_number: int) -> list[str]:
    network = world.network
    starts = guarantee_start_days(world)
    numbers = first_number + np.arange(len(starts))
    lags = registry_lag_days(world, numbers, _LONGEST_LAG_DAYS["guarantor"]) + extra_lag_days(world, numbers)
    is_hidden = is_unregistered(world, numbers, network.guarantor)
    amounts = np.maximum(np.rint(np.exp(world.firms.log_level[network.guaranteed]) * 5 / 1_000), 1) * 1_000
    last_day = 7 * world.timeline.weeks
    return [
        _line(
            _link_id(world, first_number + place), "UnknownLink",
            {
                "subject": f"co-{world.seller_id(int(a))}", "object": f"co-{world.seller_id(int(b))}",
                "role": "guarantor",
                "startDate": _date(world, int(start)), "summary": f"USD {amount:.2f}",
            },
            _date(world, int(start + lag)),
        )
        for place, (a, b, start, lag, amount) in enumerate(
            zip(network.guarantor, network.guaranteed, starts, lags, amounts, strict=True)
        )
        if start + lag < last_day and not is_hidden[place]
    ]  # fmt: skip


def company_link_files(world: World, observation: Observation) -> Iterator[RawFile]:
    """Yield one file with the network of all sellers of a district."""
    ties = _ties(world)
    entries = _entries(world, ties)
    seen: dict[str, int] = {}
    for entry in entries:
        seen[entry.tie.node] = min(seen.get(entry.tie.node, 10**9), entry.seen_day)
    company_lag = registry_lag_days(world, 10_000_000 + np.arange(world.firms.count), 60).tolist()
    lines = [_company(world, observation.names, seller, lag) for seller, lag in enumerate(company_lag)]
    lines += [
        _node_line(node, 10 * world.first_seller + number, _date(world, day))
        for number, (node, day) in enumerate(seen.items())
    ]
    lines += [_edge_line(world, entry) for entry in entries]
    lines += _guarantee_lines(world, len(ties))
    content = ("\n".join(lines) + "\n").encode()
    yield district_file(world, SOURCE, "links-{}.jsonl", _REGISTRY_SECOND, DistrictContent((content,), len(lines)))


def link_findings(world: World) -> list[Finding]:
    """Return every link of a district that registers show late, never, or past its end."""
    ties = _ties(world)
    extra = _extra_days(world, ties).tolist()
    shown = {entry.number: entry for entry in _entries(world, ties)}
    found = []
    for number, tie in enumerate(ties):
        link, entry = _link_id(world, number), shown.get(number)
        if entry is None:
            found.append(Finding(link, tie.seller, tie.kind, "unregistered", tie.from_day))
        elif extra[number]:
            found.append(Finding(link, tie.seller, tie.kind, "late", entry.seen_day))
        if tie.until_day != _OPEN:
            found.append(Finding(link, tie.seller, tie.kind, "sold", tie.until_day))
    return found + _guarantee_findings(world, len(ties))


def _guarantee_findings(world: World, first_number: int) -> list[Finding]:
    starts, guarantor = guarantee_start_days(world), world.network.guarantor
    numbers = first_number + np.arange(len(starts))
    extra, is_hidden = extra_lag_days(world, numbers), is_unregistered(world, numbers, guarantor)
    seen = starts + registry_lag_days(world, numbers, _LONGEST_LAG_DAYS["guarantor"]) + extra
    is_never = is_hidden | (seen >= 7 * world.timeline.weeks)
    return [
        Finding(
            _link_id(world, first_number + place), int(guarantor[place]), "guarantor",
            *(("unregistered", int(starts[place])) if is_never[place] else ("late", int(seen[place]))),
        )
        for place in np.flatnonzero((starts < 7 * world.timeline.weeks) & (is_never | (extra > 0))).tolist()
    ]  # fmt: skip
