"""Account statements as banks export them: tables of Chinese banks, CAMT.053, MT940 and OFX; all names invented."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOLDER, ACCOUNT = "深圳灯屋贸易有限公司", "6222021234567890123"
IBAN = "DE02120300000000202051"


@dataclass(frozen=True)
class Movement:
    """An entry of an account: day (``yyyyMMdd``), signed amount, counterparty and words."""

    day: str
    amount: str
    who: str = "义乌纸箱厂"
    said: str = "货款"


MOVEMENTS = (
    Movement("20240401", "1200.50", "Amazon Payments Europe S.C.A.", "AMAZON 17000013310"),
    Movement("20240403", "-300.00"),
    Movement("20240403", "-45.25", "国家税务总局深圳市税务局", "税费"),
    Movement("20240407", "50000.00", "杭州连连银通电子支付有限公司", "连连提现"),
    Movement("20240409", "-8000.00", HOLDER, "同名划转"),
)
OPENING = Decimal("1000.00")


def balances(movements: Sequence[Movement], opening: Decimal = OPENING) -> list[Decimal]:
    """Return the balance after each movement."""
    found = []
    for one in movements:
        opening += Decimal(one.amount)
        found.append(opening)
    return found


def _cells(line: Sequence[str]) -> str:
    return ",".join(f'"{cell}"' if "," in cell else cell for cell in line)


def icbc_rows(movements: Sequence[Movement] = MOVEMENTS, opening: Decimal = OPENING) -> list[list[str]]:
    """Return a statement in the form of ICBC: account data, header, entries newest first."""
    head = ["凭证号", "对方账号", "交易时间", "转入金额", "转出金额", "余额", "用途", "摘要", "附言", "对方单位"]
    rows = [
        [
            "1",
            "",
            f"{one.day[:4]}-{one.day[4:6]}-{one.day[6:]} 10:00:00",
            *_in_out(one.amount),
            f"{left:,.2f}",
            "",
            one.said,
            "",
            one.who,
        ]
        for one, left in zip(movements, balances(movements, opening), strict=True)
    ]
    return [["[HISTORYDETAIL]"], [f"账号：{ACCOUNT}", f"户名：{HOLDER}", "币种：人民币"], head, *reversed(rows)]


def ccb_rows(movements: Sequence[Movement] = MOVEMENTS, opening: Decimal = OPENING) -> list[list[str]]:
    """Return a statement in the form of CCB: five lines, header, entries oldest first, the account in every row."""
    head = [
        "账号", "账户名称", "交易时间", "借方发生额（支取）", "贷方发生额（收入）", "余额", "币种", "对方户名",
        "对方账号", "记账日期", "摘要", "备注", "账户明细编号-交易流水号",
    ]  # fmt: skip
    rows = [
        [
            ACCOUNT,
            HOLDER,
            f"{one.day} 17:07:09",
            *_in_out(one.amount)[::-1],
            f"{left:.2f}",
            "人民币元",
            one.who,
            "",
            one.day,
            one.said,
            "",
            f"N{place}",
        ]
        for place, (one, left) in enumerate(zip(movements, balances(movements, opening), strict=True))
    ]
    return [["活期账户明细"], [], ["查询时间", "20240501"], [], [], head, *rows]


def cmbc_rows(movements: Sequence[Movement] = MOVEMENTS, opening: Decimal = OPENING) -> list[list[str]]:
    """Return a statement in the form of CMBC: the hour has lost its leading zero, a total follows the entries."""
    head = [
        "交易日期",
        "交易时间",
        "主机交易流水号",
        "借方发生额",
        "贷方发生额",
        "账户余额",
        "客户附言/摘要",
        "对方账号",
        "对方账号名称",
    ]
    rows = [
        [one.day, "83533", f"7{place}", *_in_out(one.amount)[::-1], f"{left:.2f}", one.said, "", one.who]
        for place, (one, left) in enumerate(zip(movements, balances(movements, opening), strict=True))
    ]
    total = ["合计", "", "", "8345.25", "51200.50", "", "", "", ""]
    return [["账号", ACCOUNT], ["账户名称", HOLDER], ["币种", "人民币"], head, *rows, total]


def pingan_rows(movements: Sequence[Movement] = MOVEMENTS, opening: Decimal = OPENING) -> list[list[str]]:
    """Return a statement in the form of Ping An: the header comes first."""
    head = [
        "交易日期",
        "账号",
        "收入",
        "支出",
        "账户余额",
        "对方户名",
        "对方账号",
        "摘要",
        "交易流水号",
        "交易用途",
        "币种",
    ]
    rows = [
        [one.day, ACCOUNT, *_in_out(one.amount), f"{left:.2f}", one.who, "", one.said, f"P{place}", "", "RMB"]
        for place, (one, left) in enumerate(zip(movements, balances(movements, opening), strict=True))
    ]
    return [head, *rows]


def abc_rows(movements: Sequence[Movement] = MOVEMENTS, opening: Decimal = OPENING) -> list[list[str]]:
    """Return a statement in the form of ABC."""
    head = [
        "交易时间",
        "收入金额",
        "支出金额",
        "本次余额",
        "手续费总额",
        "交易方式",
        "交易行名",
        "对方账号",
        "对方户名",
        "交易用途",
    ]
    rows = [
        [
            f"{one.day[:4]}/{one.day[4:6]}/{one.day[6:]}",
            *_in_out(one.amount),
            f"{left:.2f}",
            "0",
            "",
            "",
            "",
            one.who,
            one.said,
        ]
        for one, left in zip(movements, balances(movements, opening), strict=True)
    ]
    return [head, *rows]


def rural_rows(movements: Sequence[Movement] = MOVEMENTS, opening: Decimal = OPENING) -> list[list[str]]:
    """Return a statement in the form of a rural bank: one signed amount."""
    head = ["记账日期", "交易金额", "交易后余额", "交易摘要", "对方户名", "对方账号", "本方名称", "本方账户"]
    rows = [
        [one.day, one.amount, f"{left:.2f}", one.said, one.who, "", HOLDER, ACCOUNT]
        for one, left in zip(movements, balances(movements, opening), strict=True)
    ]
    return [head, *rows]


def _in_out(amount: str) -> tuple[str, str]:
    return ("", f"{-Decimal(amount):,.2f}") if amount.startswith("-") else (f"{Decimal(amount):,.2f}", "")


def csv_bytes(rows: Sequence[Sequence[str]], encoding: str = "gb18030") -> bytes:
    """Return rows as comma-separated text; rows that are entries all have the width of the header."""
    return "".join(_cells(row) + "\r\n" for row in rows).encode(encoding)


def camt_file(
    movements: Sequence[Movement] = MOVEMENTS,
    opening: Decimal = OPENING,
    version: str = "001.08",
    more: str = "",
    closing: Decimal | None = None,
) -> bytes:
    """Return a statement in the form of ISO 20022, with further entries and another closing balance if asked."""
    entries = "".join(camt_entry(one, version, f"R{place}") for place, one in enumerate(movements))
    closing = balances(movements, opening)[-1] if closing is None else closing
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.{version}"><BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId></GrpHdr>
<Stmt><Id>ST-1</Id><ElctrncSeqNb>1</ElctrncSeqNb><Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>
{_balance("OPBD", opening)}{_balance("CLBD", closing)}{entries}{more}</Stmt></BkToCstmrStmt></Document>""".encode()


def _balance(code: str, amount: Decimal) -> str:
    side = "DBIT" if amount < 0 else "CRDT"
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{abs(amount)}</Amt>'
        f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>2024-04-30</Dt></Dt></Bal>"
    )


def camt_entry(
    one: Movement,
    version: str = "001.08",
    number: str = "R",
    *,
    state: str = "BOOK",
    reversal: bool = False,
    details: str | None = None,
) -> str:
    """Return an entry; ``details`` replaces its transactions."""
    side = "DBIT" if one.amount.startswith("-") else "CRDT"
    day = f"{one.day[:4]}-{one.day[4:6]}-{one.day[6:]}"
    status = state if version == "001.02" else f"<Cd>{state}</Cd>"
    turned = "<RvslInd>true</RvslInd>" if reversal else ""
    if details is None:
        name = f"<Nm>{one.who}</Nm>" if version < "001.08" else f"<Pty><Nm>{one.who}</Nm></Pty>"
        party = "Dbtr" if side == "CRDT" else "Cdtr"
        parties = f"<RltdPties><{party}>{name}</{party}></RltdPties>"
        details = f"<TxDtls>{parties}<RmtInf><Ustrd>{one.said}</Ustrd></RmtInf></TxDtls>"
    return (
        f'<Ntry><Amt Ccy="EUR">{one.amount.lstrip("-")}</Amt><CdtDbtInd>{side}</CdtDbtInd>{turned}<Sts>{status}</Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>{number}</AcctSvcrRef>"
        f"<NtryDtls>{details}</NtryDtls></Ntry>"
    )


MT940_FILE = """:20:STARTUMS
:25:10020030/1234567
:28C:00001/001
:60F:C240401EUR1000,00
:61:2404020402C100,00NTRFNONREF//B1
:86:177?00GUTSCHRIFT?20EREF+12345?21SVWZ+AMAZON 170000?221331
0?30BYLADEM1?31DE89370400440532013000?32AMAZON PAYMENTS?33 EUROPE
:61:2404030403RC50,00NTRFNONREF
:86:free text
:61:2404030403RD7,00NMSCX
:61:2312310102D5,00NMSCABC//DEF
extra details
:86:/EREF/NOTPROVIDED//CNTP/NL91ABNA0417164300/ABNANL2A/Lamp Parts BV/Venlo///REMI/USTD//invoice 7/
:62M:C240430EUR1052,00
:86:this belongs to the statement
-
:20:STARTUMS
:25:10020030/1234567
:60M:C240430EUR1052,00
:61:240430C1,00NTRFNONREF
:62F:C240430EUR1053,00
-}
"""
OFX_1 = """OFXHEADER:100
DATA:OFXSGML
ENCODING:USASCII
CHARSET:1252

<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>USD<BANKACCTFROM><BANKID>1<ACCTID>9988776655<ACCTTYPE>CHECKING
</BANKACCTFROM><BANKTRANLIST><DTSTART>20240401<DTEND>20240430
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20240402120000.000[-5:EST]<TRNAMT>1200.50
<FITID>F1<NAME>AMAZON.COM SVCS<MEMO>payout</STMTTRN>
<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20240403<TRNAMT>-1.000,25<FITID>F2<NAME>Smith &amp; Co</STMTTRN>
</BANKTRANLIST><LEDGERBAL><BALAMT>700.25<DTASOF>20240430</LEDGERBAL><AVAILBAL><BALAMT>1.00<DTASOF>20240430</AVAILBAL>
</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>
"""
