"""Pages for the sellers' data desk: what was delivered and where the rows went, one page per seller and an overview.

Pages are written on request, because nobody reads the thousands of pages of a large profile.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import source_contract, table_contract
from data_contracts.errors import InputRefused
from pipelines.ingest.coverage import COVERAGE_TABLE
from pipelines.ingest.deliveries.manifest import find_deliveries
from pipelines.reports.delivery_page import render_deliveries_page, render_delivery_page
from pipelines.reports.rendering import LANGUAGES
from pipelines.runs.file_counts import FileCounts, counts_of_document
from pipelines.runs.publish import atomic_write_bytes, read_json, read_parquet
from pipelines.runs.stages import CURRENT, current_output
from pipelines.validate.stage import EXAMPLE_COLUMNS, examples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from data_contracts.arrow import Values
    from pipelines.ingest.deliveries.manifest import DeliveredFile
    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place

FOLDER = "deliveries"
OVERVIEW = "index"
SELLERS_SHOWN = 50


@dataclass(frozen=True)
class Received:
    """The deliveries of a profile as they were ingested.

    Attributes:
        files: each file with its row counts.
        run_dir: the run of ``ingest`` that read them.
        about: what every page says about the profile.
        validated: the run of ``validate``, or None if it has not run.
    """

    files: tuple[tuple[DeliveredFile, FileCounts], ...]
    run_dir: Path
    about: Mapping[str, Any]
    validated: Path | None = None

    def of_seller(self, seller: str) -> list[tuple[DeliveredFile, FileCounts]]:
        """Return the files delivered for a seller, in order of source and name."""
        return [(file, account) for file, account in self.files if file.seller == seller]


def write_delivery_page(profile: Profile, place: Place, seller: str | None) -> list[Path]:
    """Write the page of a seller, or the overview without one, in every language; return the paths.

    Raises:
        InputRefused: nothing was delivered for the seller.
        ConfigurationRefused: nothing has been ingested.
    """
    received = received_deliveries(profile, place)
    if seller is None:
        document, render, name = overview_document(received), render_deliveries_page, OVERVIEW
    else:
        document = delivery_document(received, seller, profile.validation.examples_per_rule)
        render, name = render_delivery_page, seller
    paths = []
    for language in LANGUAGES:
        path = place.root / "reports" / FOLDER / f"{name}.{language}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(path, render(document, language).encode())
        paths.append(path)
    return paths


def received_deliveries(profile: Profile, place: Place) -> Received:
    """Return the files of the profile's raw folder that the ingest run in force has counted."""
    run_dir = current_output(place, "ingest")
    settings = profile.ingest
    raw_dir = settings.raw_dir if settings.raw_dir is not None else current_output(place, "world", "raw")
    accounts = {account.file: account for account in counts_of_document(read_json(run_dir / "row_counts.json"))}
    listed = find_deliveries(raw_dir, settings).files
    return Received(
        files=tuple((file, accounts[file.name]) for file in listed if file.name in accounts),
        run_dir=run_dir,
        about={
            "profile": profile.name,
            "title": profile.title,
            "is_synthetic": profile.is_synthetic,
            "evidence": profile.evidence,
            "recorded_at": settings.recorded_at.isoformat(),
        },
        validated=current_output(place, "validate") if (place.stage_dir("validate") / CURRENT).is_file() else None,
    )


def delivery_document(received: Received, seller: str, examples_per_rule: int) -> dict[str, Any]:
    """Return the contents of a seller's page as plain values.

    For rows set aside it has file, row and value, but never a personal value, and nothing of files with rows of several
    sellers.

    Raises:
        InputRefused: nothing was delivered for the seller.
    """
    own = received.of_seller(seller)
    if not own:
        raise InputRefused(
            file=str(received.run_dir / "row_counts.json"),
            rule=f"no file was delivered for seller {seller!r}",
            remedy="write the seller as in the delivery manifest",
        )
    by_source: dict[str, list[FileCounts]] = {}
    for file, account in own:
        by_source.setdefault(file.source, []).append(account)
    return {
        "about": dict(received.about),
        "seller_id": seller,
        "files": [_file_document(file, account) for file, account in own],
        "sources": [
            _source_document(name, accounts, received.run_dir, examples_per_rule)
            for name, accounts in by_source.items()
        ],
        "tables": _table_documents(received, [file.name for file, _ in own], examples_per_rule),
        "coverage": _coverage_document(received.run_dir, seller),
    }


def _file_document(file: DeliveredFile, account: FileCounts) -> dict[str, Any]:
    return {
        "file": file.name,
        "source": file.source,
        "covered_from": file.covered_from.isoformat(),
        "covered_to": file.covered_to.isoformat(),
        "delivered_at": file.delivered_at.isoformat(sep=" ", timespec="minutes"),
        "status": account.status,
        "rows_in": account.rows_in,
        "accepted": account.accepted,
        "quarantined": sum(account.quarantined.values()),
        "duplicates": sum(account.duplicates.values()),
        "notes": list(account.notes),
        "rejected_by": list(account.rejected_by),
    }


def _source_document(
    name: str, accounts: Sequence[FileCounts], run_dir: Path, examples_per_rule: int
) -> dict[str, Any]:
    quarantined, duplicates, warnings = (
        _summed([getattr(account, kind) for account in accounts]) for kind in ("quarantined", "duplicates", "warnings")
    )
    path = run_dir / "quarantine" / f"{name}.parquet"
    found: dict[str, list[dict[str, Any]]] = {}
    if quarantined and path.is_file():
        records = read_parquet(path, EXAMPLE_COLUMNS)
        files = pa.array([account.file for account in accounts if account.quarantined], pa.string())
        own: Values = pc.is_in(records["source_file"].cast(pa.string()), value_set=files)
        shown = {column.name for column in source_contract(name).columns if column.classification != "personal"}
        found = examples(records.filter(own), examples_per_rule, shown)
    return {
        "name": name,
        "files": len(accounts),
        "rows_in": sum(account.rows_in for account in accounts),
        "accepted": sum(account.accepted for account in accounts),
        "quarantined": quarantined,
        "duplicates": duplicates,
        "warnings": warnings,
        "examples": found,
    }


def _table_documents(received: Received, files: Sequence[str], examples_per_rule: int) -> list[dict[str, Any]]:
    """Return the rows of the seller's files that validation set aside, by canonical table and rule."""
    folder = None if received.validated is None else received.validated / "quarantine"
    found = []
    for path in sorted(folder.glob("*.parquet")) if folder is not None and folder.is_dir() else ():
        records = read_parquet(path, EXAMPLE_COLUMNS)
        own = records.filter(pc.is_in(records["source_file"].cast(pa.string()), value_set=pa.array(files, pa.string())))
        if own.num_rows:
            shown = {column.name for column in table_contract(path.stem).columns if column.classification != "personal"}
            counts = Counter(str(rule_id) for rule_id in own["rule_id"].to_pylist())
            first = examples(own, examples_per_rule, shown)
            found.append({"table": path.stem, "quarantined": _summed([counts]), "examples": first})
    return found


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _coverage_document(run_dir: Path, seller: str) -> list[dict[str, Any]]:
    """Return the covered periods without gaps, by table and source."""
    path = run_dir / "tables" / f"{COVERAGE_TABLE}.parquet"
    columns = ["seller_id", "covered_table", "delivered_source", "period_from", "period_to"]
    table = read_parquet(path, columns)
    rows = table.filter(pc.equal(table["seller_id"], pa.scalar(seller))).to_pylist()
    rows.sort(key=lambda row: (row["covered_table"], row["delivered_source"], row["period_from"], row["period_to"]))
    stretches: list[dict[str, Any]] = []
    for row in rows:
        last = stretches[-1] if stretches else None
        same = last is not None and (last["table"], last["source"]) == (row["covered_table"], row["delivered_source"])
        if last is not None and same and (row["period_from"] - last["to"]).days <= 1:
            last["to"] = max(last["to"], row["period_to"])
            last["deliveries"] += 1
        else:
            names = {"table": row["covered_table"], "source": row["delivered_source"], "deliveries": 1}
            stretches.append({**names, "from": row["period_from"], "to": row["period_to"], "follows_gap": same})
    return [{**one, "from": one["from"].isoformat(), "to": one["to"].isoformat()} for one in stretches]


def overview_document(received: Received) -> dict[str, Any]:
    """Return the contents of the overview: totals, and the sellers with most to correct."""
    sellers: dict[str, dict[str, Any]] = {}
    reasons: dict[str, Counter[tuple[str, str]]] = {}
    shared = 0
    for file, account in received.files:
        if file.seller is None:
            shared += 1
            continue
        nothing = {"files": 0, "rows_in": 0, "accepted": 0, "quarantined": 0, "duplicates": 0, "rejected_files": 0}
        total = sellers.setdefault(file.seller, {"seller_id": file.seller, **nothing})
        total["files"] += 1
        total["rows_in"] += account.rows_in
        total["accepted"] += account.accepted
        total["quarantined"] += sum(account.quarantined.values())
        total["duplicates"] += sum(account.duplicates.values())
        total["rejected_files"] += bool(account.rejected_by)
        of_seller = reasons.setdefault(file.seller, Counter())
        of_seller.update({(file.source, code): rows for code, rows in account.quarantined.items()})
    worst = sorted(
        (one for one in sellers.values() if one["quarantined"] or one["rejected_files"]),
        key=lambda one: (-one["rejected_files"], -one["quarantined"], one["seller_id"]),
    )
    for one in worst[:SELLERS_SHOWN]:
        ranked = sorted(reasons[one["seller_id"]].items(), key=lambda item: (-item[1], item[0]))
        one["most"] = None if not ranked else {"source": ranked[0][0][0], "code": ranked[0][0][1], "rows": ranked[0][1]}
    counted = ("files", "rows_in", "accepted", "quarantined", "duplicates", "rejected_files")
    return {
        "about": dict(received.about),
        "sellers": len(sellers),
        "sellers_to_fix": len(worst),
        "shared_files": shared,
        "totals": {name: sum(one[name] for one in sellers.values()) for name in counted},
        "worst": worst[:SELLERS_SHOWN],
    }
