"""Map PayPal's activity download to ``money_event``: the amount and the fee of each completed transaction.

Downloads come in the language of the account. The rules for event types know the words of all languages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.days.local_moments import with_moments
from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_keys
from data_contracts.mapping.running_balance import RunningBalance
from data_contracts.reading.doubts import doubt

if TYPE_CHECKING:
    import pyarrow as pa

# A payment that was given back later had moved the balance; the refund or reversal is a row of its own.
_COMPLETED = (
    *("completed", "cleared", "refunded", "partially refunded", "reversed"),
    *("abgeschlossen", "zurückgezahlt", "teilweise zurückgezahlt", "rückerstattet", "teilweise rückerstattet"),
    *("terminé", "effectué", "remboursé", "partiellement remboursé"),
    *("completato", "completata", "rimborsato", "rimborsata", "parzialmente rimborsato", "parzialmente rimborsata"),
    *("completado", "completada", "reembolsado", "reembolsada", "parcialmente reembolsado", "parcialmente reembolsada"),
)
_NOT_COMPLETED = (
    *("pending", "denied", "canceled", "cancelled", "failed", "expired", "held", "on hold", "unclaimed", "uncleared"),
    *("processing", "placed", "created", "returned", "removed", "voided", "authorized", "declined", "blocked"),
    *("ausstehend", "abgelehnt", "storniert", "fehlgeschlagen", "abgelaufen", "einbehalten", "offen", "abgebrochen"),
    *("en attente", "refusé", "annulé", "échoué", "expiré", "bloqué", "suspendu"),
    *("in sospeso", "in attesa", "rifiutato", "rifiutata", "annullato", "annullata", "non riuscito", "scaduto"),
    *("pendiente", "denegado", "rechazado", "cancelado", "cancelada", "anulado", "fallido", "caducado", "retenido"),
)
# Memo in English; the other languages say that there is no impact.
_NO_IMPACT = ("memo", "kein%", "aucun%", "nessun%", "ningun%", "ningún%", "sin %", "neutr%")

_STATE = "lower(trim(state))"
_IS_COMPLETED = f"{_STATE} IN ({', '.join(repr(word) for word in _COMPLETED)})"
_IS_KNOWN = f"{_STATE} IN ({', '.join(repr(word) for word in _NOT_COMPLETED)})"
_IS_MEMO = " OR ".join(f"lower(coalesce(balance_impact, '')) LIKE '{word}'" for word in _NO_IMPACT)

_ENTRIES = f"""
SELECT raw.*, transaction_number AS identity, part, amount, CAST(NULL AS VARCHAR) AS event_type,
    CAST(transaction_type AS VARCHAR) AS kind, CASE WHEN gross > 0 THEN 'in' ELSE 'out' END AS direction,
    coalesce(invoice_number, reference_number) AS order_id, transaction_type AS raw_type, money_code AS currency,
    happened_at AS event_at, CAST(happened_at AS DATE) AS event_date, 'released' AS status
FROM raw, LATERAL (SELECT unnest(['amount', 'fee']) AS part, unnest([gross, fee]) AS amount)
WHERE amount <> 0 AND {_IS_COMPLETED} AND NOT ({_IS_MEMO})
"""  # noqa: S608 - the words above

_SILENT = f"""
CASE WHEN {_IS_MEMO} THEN 'memo, which moves nothing'
    WHEN NOT {_IS_COMPLETED} AND NOT {_IS_KNOWN}
        THEN '{doubt("status of unknown meaning, read as not completed: ")}' || state
    WHEN NOT {_IS_COMPLETED} THEN 'transaction not completed'
    ELSE 'transaction without an amount' END
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the transactions delivered before; of one in several states, the completed one is kept."""
    return repeated_keys(raw, "transaction_number, money_code", first=f"{_IS_COMPLETED} DESC, row_order")


DAYS = WrittenDays(
    columns=("local_day",),
    time="local_time",
    zone="zone",
    credit="net_amount",
    balance="balance_after",
    currency="money_code",
    language="file_language",
)

MAPPING = MoneyEventSource(
    source="paypal_activity",
    platform="PayPal",
    entries=_ENTRIES,
    kinds=("kind", "direction", "part"),
    silent_reason=_SILENT,
    screen=screen,
    prepare=with_moments,
    days=DAYS,
    running_balance=RunningBalance(
        "net_amount", "balance_after", "money_code", "happened_at", f"{_IS_COMPLETED} AND NOT ({_IS_MEMO})"
    ),
    happened="happened_at",
).mapping()
