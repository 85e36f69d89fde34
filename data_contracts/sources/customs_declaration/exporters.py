"""Find the declarations of a file whose exporter is another firm than the one that the file is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from data_contracts.mapping.source_mapping import run_sql

if TYPE_CHECKING:
    import pyarrow as pa

RULE: Final = "exporter:one"

# A firm exports in its own name, or through an agent who is then the consignor and the firm the owner of the goods. It
# has a credit code and a customs code; a declaration that states both tells that they are one firm. The firm of a file
# is the one whose credit code the delivery names as account, else the one on more than half of the declarations.
_STRANGE: Final = """
WITH stated AS (
    SELECT row_order, file_order, entry_number, upper(trim("account")) AS account,
        upper(trim(coalesce(consignor_credit_code, ''))) AS credit_code,
        upper(trim(coalesce(consignor_code, ''))) AS customs_code,
        upper(trim(coalesce(owner_credit_code, ''))) AS owner
    FROM raw
), told AS (
    SELECT *, list_distinct(list_filter([credit_code, customs_code, owner], lambda one: one <> '')) AS numbers
    FROM stated WHERE concat(credit_code, customs_code, owner) <> ''
), shares AS (
    SELECT file_order, firm, count(DISTINCT entry_number) AS share
    FROM (SELECT file_order, entry_number, unnest(numbers) AS firm FROM told) GROUP BY file_order, firm
), best AS (
    SELECT file_order, any_value(declarations) AS declarations,
        CASE WHEN regexp_full_match(any_value(account), '[0-9A-Z]{18}') THEN any_value(account)
            ELSE arg_max(firm, (share, firm)) FILTER (2 * share > declarations) END AS firm
    FROM shares JOIN (
        SELECT file_order, any_value(account) AS account, count(DISTINCT entry_number) AS declarations
        FROM told GROUP BY file_order
    ) USING (file_order)
    GROUP BY file_order
), own AS (
    SELECT file_order, firm FROM best
    UNION SELECT file_order, unnest([credit_code, customs_code]) FROM told JOIN best USING (file_order)
        WHERE firm IN (credit_code, customs_code)
), owned AS (
    SELECT file_order, list(firm) AS firms FROM own WHERE firm <> '' GROUP BY file_order
)
SELECT row_order, CASE WHEN firm IS NULL THEN 'no exporter is on more than half of the ' || declarations
        || ' declarations; export those of the seller alone, or name its credit code as account'
    ELSE 'declaration of another exporter: ' || array_to_string(numbers, ', ') END AS reason, $rule AS rule_id
FROM told JOIN best USING (file_order) LEFT JOIN owned USING (file_order)
WHERE firm IS NULL OR NOT list_has_any(numbers, firms)
ORDER BY row_order
"""


_OWN_NAMES: Final = """
SELECT DISTINCT delivered_for AS seller, trim(CASE WHEN owner_name IS NULL THEN consignor_name
    WHEN owner_credit_code = consignor_credit_code THEN consignor_name ELSE owner_name END) AS name
FROM raw WHERE name <> '' ORDER BY ALL
"""


def own_names(raw: pa.Table) -> pa.Table:
    """Return the names of the firms whose goods were declared: the owner's if another firm is the consignor."""
    return run_sql(_OWN_NAMES, raw=raw)


def rows_of_other_exporters(raw: pa.Table) -> pa.Table:
    """Return, as a screen does, the items of declarations in which the firm of the file is neither exporter nor owner.

    If no firm is on more than half of the declarations of a file, all of them are returned. Declarations without any
    number are not judged.
    """
    return run_sql(_STRANGE, {"rule": RULE}, raw=raw)
