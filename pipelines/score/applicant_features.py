"""Features of applicants given only by ID: built from tables, with a code for everything unusual.

A seller without deliveries is refused, and so is one whose deliveries ended long before the as-of date: their features
would be zeros and blanks that look like an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.build import build_features, tables_read
from features.integrity.flags import integrity_flags
from features.reconciliation.plausibility import implausible
from features.reconciliation.shared_statements import shared_statements
from pipelines.passports.passport import Delivery
from pipelines.score.applicants import join_codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from data_contracts.arrow import Values
    from features.catalogue import FeatureSet
    from pipelines.profiles.score_settings import ScoringLimits
    from pipelines.score.applicants import Chunk

OWN_TABLES: Final = ("money_event", "trade_invoice", "export_declaration", "site_order", "site_day")
"""Tables fed by a seller's own exports. The lender's books and the registry describe sellers without their doing."""
UNSEEN_WINDOW_DAYS: Final = 365
REPEATED_TYPES: Final = ("sale", "payout")
"""Types of money events whose repetition would have raised sales or payouts."""
_KEYS: Final = ["seller_id", "as_of"]


@dataclass(frozen=True)
class SellerTables:
    """Canonical tables by name, and what is known of their origin.

    Attributes:
        tables: the tables by name.
        digests: the SHA-256 of their files by name.
        withdrawn: by seller, the sources delivered earlier that the present delivery lacks.
    """

    tables: Mapping[str, pa.Table]
    digests: Mapping[str, str]
    withdrawn: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def describe_applicants(
    applicants: Chunk,
    source: SellerTables,
    feature_set: FeatureSet,
    limits: ScoringLimits,
    matrix: pa.Table | None = None,
) -> Chunk:
    """Return applicants (identifiers only) with every feature of the set, refusal codes and a column of warnings.

    The order of rows is kept. Features of a refused row are null. They are built from the tables, or taken from
    ``matrix`` (seller_id, as_of, features) if the features of these tables have been built already.
    """
    coverage = known_coverage(source.tables.get("source_coverage"), applicants.select(_KEYS))
    refusals = join_codes(applicants["refusals"], _coverage_codes(applicants, source, coverage, limits))
    applicants = applicants.set_column(applicants.column_names.index("refusals"), "refusals", refusals)
    if matrix is None:
        accepted = applicants.filter(_equals(refusals, ""))
        observations = accepted.select(_KEYS).group_by(_KEYS).aggregate([])
        matrix = build_features(source.tables, observations, feature_set).table
    described = _with_features(applicants, matrix, feature_set.names)
    ledger = _ledger_codes(applicants, source.tables.get("money_event"))
    unclear = _unclear_amounts(applicants, source.tables.get("source_coverage"))
    withdrawn = _withdrawn_sources(applicants, source, coverage, limits)
    shared = _shared_statements(applicants, source.tables.get("money_event"))
    doubts = _ledger_doubts(applicants, source.tables)
    return described.append_column("warnings", join_codes(ledger, shared, unclear, withdrawn, doubts))


def known_coverage(coverage: pa.Table | None, observations: pa.Table) -> pd.DataFrame:
    """Return the deliveries known as of each observation, one row each, with periods cut off at the as-of date.

    ``observations`` holds seller_id and as_of. The frame has these columns and covered_table, delivered_source,
    period_from and period_to.
    """
    columns = ["covered_table", "delivered_source", "period_from", "period_to"]
    frame = _dated(observations)
    if coverage is None or coverage.num_rows == 0:
        return frame.head(0).assign(**{name: pd.Series(dtype=object) for name in columns})
    wanted = pc.is_in(coverage["seller_id"], value_set=pc.unique(observations["seller_id"]))
    given = coverage.filter(wanted).select(["seller_id", "known_at", *columns]).to_pandas()
    merged: pd.DataFrame = frame.merge(given, on="seller_id", how="inner")
    for name in ("period_from", "period_to"):
        merged[name] = pd.to_datetime(merged[name])
    known = merged["known_at"].dt.tz_localize(None) < merged["as_of"] + pd.Timedelta(days=1)
    merged = merged.loc[known & (merged["period_from"] <= merged["as_of"])].reset_index(drop=True)
    ended = merged["period_to"].where(merged["period_to"] < merged["as_of"], merged["as_of"])
    merged["period_to"] = ended
    for name in ("covered_table", "delivered_source"):
        merged[name] = merged[name].astype(str)
    return merged


def deliveries_by_seller(coverage: pd.DataFrame) -> dict[str, tuple[Delivery, ...]]:
    """Return each seller's deliveries by table and source, from the ``known_coverage`` of one date per seller."""
    found: dict[str, list[Delivery]] = {}
    keys = ["seller_id", "covered_table", "delivered_source"]
    for (seller, table, source), rows in coverage.groupby(keys, sort=True):
        first, last = rows["period_from"].min().date(), rows["period_to"].max().date()
        delivery = Delivery(str(source), str(table), first, last, len(rows))
        found.setdefault(str(seller), []).append(delivery)
    return {seller: tuple(deliveries) for seller, deliveries in found.items()}


def pillar_tables(feature_set: FeatureSet) -> dict[str, frozenset[str]]:
    """Return the canonical tables behind the features of each pillar, through derived features and views."""
    behind = tables_read(feature_set)
    tables: dict[str, set[str]] = {}
    for record in feature_set.records:
        tables.setdefault(record.pillar, set()).update(behind[record.name])
    return {pillar: frozenset(names) for pillar, names in tables.items()}


def _coverage_codes(applicants: Chunk, source: SellerTables, coverage: pd.DataFrame, limits: ScoringLimits) -> Values:
    """Return ``unknown_seller``, ``no_coverage`` or ``stale_data`` for readable rows, "" for all others."""
    own = coverage[coverage["covered_table"].isin(OWN_TABLES)]
    last = own.groupby(_KEYS, as_index=False)["period_to"].max()
    rows = _dated(applicants).merge(last, on=_KEYS, how="left")
    known = _named_sellers(source.tables)
    gap_days = (rows["as_of"] - pd.to_datetime(rows["period_to"])).dt.days
    codes = np.select(
        [
            rows["seller_id"].isna() | rows["as_of"].isna(),
            ~rows["seller_id"].isin(known),
            rows["period_to"].isna(),
            gap_days > limits.coverage_gap_days,
        ],
        ["", "unknown_seller", "no_coverage", "stale_data"],
        default="",
    )
    readable = _equals(applicants["refusals"], "")
    return pc.if_else(readable, pa.chunked_array([pa.array(codes.tolist(), pa.string())]), pa.scalar(""))


def _named_sellers(tables: Mapping[str, pa.Table]) -> set[str]:
    """Return every seller that any table names."""
    found: set[str] = set()
    for table in tables.values():
        if "seller_id" in table.column_names:
            found.update(filter(None, pc.unique(table["seller_id"]).to_pylist()))
    return found


def _with_features(applicants: Chunk, matrix: pa.Table, names: Sequence[str]) -> Chunk:
    """Add the features of each applicant's seller and date, null if the matrix has no such row."""
    place = {key: index for index, key in enumerate(_key_pairs(matrix))}
    indices = pa.array([place.get(key) for key in _key_pairs(applicants)], pa.int64())
    taken = matrix.select(list(names)).take(indices)
    for name in names:
        applicants = applicants.append_column(name, taken[name])
    return applicants


def _key_pairs(table: pa.Table) -> list[tuple[Any, Any]]:
    return list(zip(table["seller_id"].to_pylist(), table["as_of"].to_pylist(), strict=True))


def _ledger_codes(applicants: Chunk, money_event: pa.Table | None) -> Values:
    """Return the warnings about a seller's recent ledger entries.

    ``unseen_type``: entries of a type unknown to the contract. ``repeated_money``: sales or payouts that two reports or
    files state; they count once.
    """
    nothing: Values = pa.array([""] * applicants.num_rows, pa.string())
    if money_event is None:
        return nothing
    kinds: Values = pc.cast(money_event["event_type"], pa.string())
    repeated = pc.and_(pc.is_valid(money_event["counted_in"]), pc.is_in(kinds, value_set=pa.array(REPEATED_TYPES)))
    # A forecast of the platform has no type of its own either, but it is not unknown.
    is_settled = pc.not_equal(pc.cast(money_event["status"], pa.string()), pa.scalar("estimated"))
    unknown = money_event.filter(pc.and_(_equals(kinds, "other"), is_settled))
    unseen = _recent_entries(applicants, unknown, "unseen_type")
    return join_codes(unseen, _recent_entries(applicants, money_event.filter(repeated), "repeated_money"))


def _recent_entries(applicants: Chunk, entries: pa.Table, code: str) -> Values:
    """Return the code for the applicants with such ledger entries, known and of the last year as of their date."""
    frame = _dated(applicants).assign(row=range(applicants.num_rows))
    merged = frame.merge(entries.select(["seller_id", "event_date", "known_at"]).to_pandas(), on="seller_id")
    age_days = (merged["as_of"] - pd.to_datetime(merged["event_date"])).dt.days
    known = merged["known_at"].dt.tz_localize(None) < merged["as_of"] + pd.Timedelta(days=1)
    rows = set(merged.loc[known & age_days.between(0, UNSEEN_WINDOW_DAYS - 1), "row"])
    return pa.array([code if row in rows else "" for row in range(applicants.num_rows)], pa.string())


def _ledger_doubts(applicants: Chunk, tables: Mapping[str, pa.Table]) -> Values:
    """Return the codes of ledger, accounts and integrity rules of each applicant as of its date, joined by ";"."""
    rows = applicants.select(["seller_id", "as_of"]).to_pylist()
    sellers_at: dict[date, set[str]] = {}
    for row in rows:
        if row["seller_id"] is not None and row["as_of"] is not None:
            sellers_at.setdefault(row["as_of"], set()).add(row["seller_id"])
    asked = {day: sorted(sellers) for day, sellers in sellers_at.items()}
    ledger, flags = implausible(tables, asked), integrity_flags(tables, asked)
    keys = [(row["seller_id"], row["as_of"]) for row in rows]
    return pa.array([";".join((*ledger.get(key, ()), *flags.get(key, ()))) for key in keys], pa.string())


def _shared_statements(applicants: Chunk, money_event: pa.Table | None) -> Values:
    """Return the warning ``shared_statement`` for sellers whose statement another seller is known to show as well."""
    found = None if money_event is None else shared_statements(money_event)
    if found is None or found.num_rows == 0:
        return pa.array([""] * applicants.num_rows, pa.string())
    frame = _dated(applicants).assign(row=range(applicants.num_rows))
    merged = frame.merge(found.select(["seller_id", "known_from"]).to_pandas(), on="seller_id")
    known = merged["known_from"].dt.tz_localize(None) < merged["as_of"] + pd.Timedelta(days=1)
    rows = set(merged.loc[known, "row"])
    return pa.array(["shared_statement" if row in rows else "" for row in range(applicants.num_rows)], pa.string())


def _unclear_amounts(applicants: Chunk, coverage: pa.Table | None) -> Values:
    """Return the warning ``unclear_amounts`` for sellers with a known delivery whose file left something open."""
    nothing = pa.array([""] * applicants.num_rows, pa.string())
    if coverage is None or "doubts" not in coverage.column_names:
        return nothing
    doubted: pa.Table = coverage.filter(pc.is_valid(coverage["doubts"]))
    if doubted.num_rows == 0:
        return nothing
    frame = applicants.select(_KEYS)
    known = known_coverage(doubted, frame)
    pairs = set(zip(known["seller_id"], known["as_of"].dt.date, strict=True))
    return pa.array(["unclear_amounts" if key in pairs else "" for key in _key_pairs(frame)], pa.string())


def _withdrawn_sources(
    applicants: Chunk, source: SellerTables, coverage: pd.DataFrame, limits: ScoringLimits
) -> Values:
    """Return ``source_withdrawn`` for sellers who delivered a source earlier and do not deliver it any more.

    The present delivery lacks it, or it ended long before the seller's other sources.
    """
    own = coverage[coverage["covered_table"].isin(OWN_TABLES)]
    last = own.groupby([*_KEYS, "delivered_source"], as_index=False)["period_to"].max()
    gap_days = (last.groupby(_KEYS)["period_to"].transform("max") - last["period_to"]).dt.days
    ended = last[gap_days > limits.coverage_gap_days]
    pairs = set(zip(ended["seller_id"], ended["as_of"].dt.date, strict=True))
    keys = _key_pairs(applicants.select(_KEYS))
    found = [key in pairs or key[0] in source.withdrawn for key in keys]
    return pa.array(["source_withdrawn" if is_lost else "" for is_lost in found], pa.string())


def _equals(column: Values, text: str) -> Values:
    return pc.equal(column, pa.scalar(text))


def _dated(table: pa.Table) -> pd.DataFrame:
    """Return the sellers and dates of a table as a frame, the dates as instants at midnight."""
    frame = table.select(_KEYS).to_pandas()
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]))
