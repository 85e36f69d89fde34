"""Bank statements of sellers: a file for each calendar year, as ICBC exports them or as CAMT.053."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from simulator.files.bank_accounts import OPENING_CENTS, Account, bank_accounts, has_bank_statements, holder
from simulator.files.pool.rows import PoolRows, pool_file
from simulator.files.raw_file import RawFile, View
from simulator.text_columns import chosen, day_text, joined, whole_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.economy.simulated_world import World
    from simulator.files.bank_accounts import Entry
    from simulator.text_columns import Text

CHINA, CAMT = "china_bank_statement", "camt053_statement"
_HEADER = "凭证号,对方账号,交易时间,转入金额,转出金额,余额,用途,摘要,附言,对方单位"
_CURRENCIES = {False: ("USD", "美元"), True: ("EUR", "欧元")}


def bank_files(view: View) -> Iterator[RawFile]:
    """Yield the bank statements of the sellers in view; they come whole, once and as they were booked."""
    sellers = view.sellers[has_bank_statements(view.world)[view.sellers]]
    for account in bank_accounts(view.world, sellers):
        left = OPENING_CENTS
        for year, group in groupby(account.entries, key=lambda entry: _year(view.world, entry.day)):
            entries = tuple(group)
            yield _file(view, account, (year, left), entries)
            left += sum(entry.cents for entry in entries)


def bank_consents(world: World) -> Iterator[RawFile]:
    """Yield the consents to read bank statements, in a file of their own; none if nobody delivers any."""
    seller = np.flatnonzero(has_bank_statements(world))
    if not len(seller):
        return
    start = 7 * world.firms.entry_week[seller]
    reference = joined("BK-S", whole_text(world.number(seller), 6))
    columns: dict[str, Text | str] = {
        "consent_reference": reference,
        "consented_source": chosen([CHINA, CAMT], world.number(seller) % 2),
        "purpose": "credit_assessment",
        "valid_from": day_text(world.timeline.first_day, start),
        "withdrawn_on": "",
    }
    yield pool_file(world, PoolRows("consent", seller, start, joined(reference, "-G"), columns), "bank_consent")


def _year(world: World, day: int) -> int:
    return int((world.timeline.first_day + day).astype("datetime64[Y]").astype(int)) + 1970


def _source(view: View, seller: int) -> str:
    return (CHINA, CAMT)[int(view.world.number(np.array([seller]))[0]) % 2]


def _file(view: View, account: Account, opens: tuple[int, int], entries: Sequence[Entry]) -> RawFile:
    """Return the statement of one year, which opens with a balance."""
    (year, left), world = opens, view.world
    first = int((np.datetime64(f"{year}-01-01") - view.first_day).astype(int))
    end = int((np.datetime64(f"{year}-12-31") - view.first_day).astype(int))
    source = _source(view, account.seller)
    # As with other sources, neither the period nor the moment of delivery reveals that a firm has closed.
    period = max(first, 7 * int(world.firms.entry_week[account.seller])), min(end, 7 * world.timeline.weeks - 1)
    write, ending = (_table, ".csv") if source == CHINA else (_message, ".xml")
    return RawFile(
        path=f"{source}/{world.seller_id(account.seller)}/{year}{ending}", seller_ref=world.seller_id(account.seller),
        source=source, account="", period=period,
        delivered=(period[0] + int(view.observation.delivery_lag_days[account.seller]), 43_200),
        parts=(write(world, account, left, entries),), rows=len(entries) + (source == CAMT),
    )  # fmt: skip


def _day(world: World, day: int) -> str:
    return str(world.timeline.first_day + day)


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _table(world: World, account: Account, left: int, entries: Sequence[Entry]) -> bytes:
    """Return a table as ICBC exports it, newest entry first."""
    number = 6_222_020_000_000_000_000 + int(world.number(np.array([account.seller]))[0])
    lines = []
    for place, entry in enumerate(entries):
        left += entry.cents
        into, out = (_money(entry.cents), "") if entry.cents > 0 else ("", _money(-entry.cents))
        balance = _money(left) if left >= 0 else f"-{_money(-left)}"
        lines.append(f"{place},,{_day(world, entry.day)} 10:00:00,{into},{out},{balance},,{entry.said},,{entry.who}")
    about = f"账号：{number},户名：{holder(world, account.seller)},币种：{_CURRENCIES[account.is_euro][1]}"
    return "".join(f"{line}\n" for line in ("[HISTORYDETAIL]", about, _HEADER, *reversed(lines))).encode("gb18030")


def _message(world: World, account: Account, left: int, entries: Sequence[Entry]) -> bytes:
    """Return a CAMT.053 message of one statement."""
    code = _CURRENCIES[account.is_euro][0]
    number = int(world.number(np.array([account.seller]))[0])
    closing = left + sum(entry.cents for entry in entries)
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
        f"<BkToCstmrStmt><Stmt><Id>{number}-{_day(world, entries[0].day)}</Id>"
        f"<Acct><Id><Othr><Id>{8_800_000_000 + number}</Id></Othr></Id><Ccy>{code}</Ccy>"
        f"<Ownr><Nm>{holder(world, account.seller)}</Nm></Ownr></Acct>\n"
    )
    balances = (_balance(kind, cents, code) for kind, cents in (("OPBD", left), ("CLBD", closing)))
    booked = (_entry(world, entry, code) for entry in entries)
    parts = (head, *balances, *booked, "</Stmt></BkToCstmrStmt></Document>\n")
    return "".join(parts).encode()


def _side(cents: int) -> str:
    return "CRDT" if cents >= 0 else "DBIT"


def _balance(kind: str, cents: int, code: str) -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="{code}">{_money(abs(cents))}</Amt>'
        f"<CdtDbtInd>{_side(cents)}</CdtDbtInd></Bal>\n"
    )


def _entry(world: World, entry: Entry, code: str) -> str:
    party = "Dbtr" if entry.cents > 0 else "Cdtr"
    name = f"<RltdPties><{party}><Pty><Nm>{entry.who}</Nm></Pty></{party}></RltdPties>" if entry.who else ""
    return (
        f'<Ntry><Amt Ccy="{code}">{_money(abs(entry.cents))}</Amt><CdtDbtInd>{_side(entry.cents)}</CdtDbtInd>'
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{_day(world, entry.day)}</Dt></BookgDt><NtryDtls><TxDtls>{name}"
        f"<RmtInf><Ustrd>{entry.said}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
    )
