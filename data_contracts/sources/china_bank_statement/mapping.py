"""Map statements of Chinese banks to ``bank_entry``."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.mapping.bank.entries import BankSource, with_statement_key
from data_contracts.mapping.bank.moments import bank_moment

# Totals and balances brought forward, which some banks print between and after the entries.
_NOTE: Final = re.compile("合计|总计|小计|累计|承前|期初|期末|上期|本页|打印|以下空白")
_WORDS: Final = ("transaction_time", "transaction_day", "entry_day", "serial", "summary", "purpose", "note")
_CURRENCIES: Final = {
    "人民币": "CNY", "人民币元": "CNY", "RMB": "CNY", "美元": "USD", "欧元": "EUR", "英镑": "GBP", "港币": "HKD",
    "港元": "HKD", "日元": "JPY", "加拿大元": "CAD", "加元": "CAD", "澳大利亚元": "AUD", "澳元": "AUD",
    "新加坡元": "SGD",
}  # fmt: skip

_ENTRIES = f"""
SELECT
    statement, row_order, file_order, delivered_for, delivered_at, source_file, source_sha256, source_row,
    coalesce(regexp_replace(own_account, '[ -]', '', 'g'), account, 'not named: ' || delivered_for) AS own_account,
    own_name,
    coalesce(currencies[1], money_name, 'CNY') AS currency,
    CAST(timezone('Asia/Shanghai', booked_at) AS DATE) AS booked_on, CAST(NULL AS DATE) AS valued_on,
    CASE WHEN amount IS NULL THEN coalesce(paid_in, 0) - coalesce(paid_out, 0)
        WHEN starts_with(side, '借') AND amount > 0 THEN -amount ELSE amount END AS amount,
    balance AS balance_after, CAST(NULL AS DECIMAL(18, 4)) AS opening, CAST(NULL AS DECIMAL(18, 4)) AS closing,
    coalesce(counterparty, '') AS who, concat_ws(' ', summary, purpose, note) AS said, serial
FROM (SELECT *, map_extract(MAP {_CURRENCIES}, money_name) AS currencies FROM raw)
WHERE row_kind = 'entry'
"""  # noqa: S608 - put together from constants of this module


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with the kind of row, the moment of the entry, and the key of the statement."""
    columns = [text_rows[name].to_pylist() for name in _WORDS]
    rows = [_kind_and_moment(*cells) for cells in zip(*columns, strict=True)]
    kinds, moments = zip(*rows, strict=True) if rows else ((), ())
    text_rows = with_column(text_rows, "row_kind", pa.array(kinds, pa.string()))
    text_rows = with_column(text_rows, "booked_at", pa.array(moments, pa.string()))
    return with_statement_key(text_rows, ("own_account", "money_name"))


def _kind_and_moment(time: str, day: str, entered: str, *words: str) -> tuple[str, str]:
    """Return the kind of a row and its moment; text that is no moment is kept, so that casting sets the row aside."""
    own_day = day.strip() or (entered.strip() if bank_moment(time) is None else "")
    moment = bank_moment(own_day, time if own_day else "") if own_day else bank_moment(time)
    if moment is not None:
        return "entry", moment
    if any(_NOTE.search(cell) for cell in (time, day, entered, *words)):
        return "note", ""
    return "entry", f"{own_day} {time}".strip()


MAPPING = BankSource(
    source="china_bank_statement",
    entries=_ENTRIES,
    silent_reason="'total or note of the bank'",
    prepare=prepare,
    happened="booked_at",
).mapping()
