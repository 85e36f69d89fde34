"""Stage ``validate``: check canonical tables against their contracts and report in two languages."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import source_contract, table_contract
from data_contracts.definition.contract import Severity
from data_contracts.errors import QuarantineLimitExceeded
from data_contracts.progress import SILENT
from features.engine.as_of import AsOf
from pipelines.reports.lights import data_light
from pipelines.reports.rendering import LANGUAGES, page_texts
from pipelines.reports.validation_page import render_validation_page
from pipelines.runs.data_gate import VALIDATE, gate_notes, require_open_gate
from pipelines.runs.file_counts import counts_of_document, totals_by_source
from pipelines.runs.publish import atomic_write_bytes, read_json, read_parquet, write_json, write_parquet
from pipelines.runs.stages import GROUND, StageInputs, StageOutcome, StageRecord, current_output, run_stage
from pipelines.validate.bank_payouts import PAYOUT_MATCHES_FILE, payout_matches, payouts_document
from pipelines.validate.document_chains import BREAKS_FILE, breaks_document, broken_documents
from pipelines.validate.figures import doubled_money, figures_by_month, statements_of_several_sellers
from pipelines.validate.reconciliation import RECONCILIATION_FILE, reconciled, reconciliation_document
from pipelines.validate.table_checks import (
    FAILED,
    NO_VALUES,
    NOT_VALIDATED,
    ValidationResult,
    validate_tables,
    write_suites,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from data_contracts.arrow import Values
    from data_contracts.progress import Progress
    from pipelines.profiles import Profile
    from pipelines.runs.file_counts import SourceTotal
    from pipelines.runs.stages import Place

CODE: Final = ("data_contracts", "features", "pipelines/validate", "pipelines/reports", *GROUND)
EXAMPLE_COLUMNS: Final = ["rule_id", "source_file", "source_row", "column", "value"]
SELLERS_SHOWN = 20
BREAKS_SHOWN = 20
PAYOUTS_SHOWN = 20
STATEMENTS_SHOWN = 20


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Run the stage.

    It writes ``tables/``, ``quarantine/``, ``duplicates/``, ``reconciliation.parquet``, ``validation.json``,
    ``suites/`` and ``data.{en,zh}.html``, ``document_breaks.parquet`` if export documents were delivered, and
    ``payout_matches.parquet`` if bank statements were.

    Everything is written before an error is raised; later stages refuse the data of a run that raised one.

    Raises:
        QuarantineLimitExceeded: a table loses more rows than the profile allows.
        GateFailed: a rule that decides on rows was not validated, a table was rejected, or too many delivered rows
            broke a rule.
    """
    ingested = current_output(place, "ingest")
    settings, as_of = profile.validation, profile.observations.last_as_of
    about = {
        "profile": profile.name,
        "title": profile.title,
        "is_synthetic": profile.is_synthetic,
        "evidence": profile.evidence,
        "recorded_at": profile.ingest.recorded_at.isoformat(),
        "quarantine_limit_share": settings.quarantine_limit_share,
        "ingest_quarantine_limit_share": profile.ingest.quarantine_limit_share,
    }

    def work(folder: Path) -> StageRecord:
        tables = {path.stem: read_parquet(path) for path in sorted((ingested / "tables").glob("*.parquet"))}
        result = validate_tables(tables, progress, ingested / "tables")
        document = validation_document(result, ingested, settings.examples_per_rule)
        whole_document = {"about": about, **document, **_comparisons(folder, result.accepted, as_of)}
        _write(folder, result, whole_document)
        return _record(result, gate_reasons(whole_document))

    inputs = StageInputs(
        files={"ingest": ingested},
        settings={**about, "examples_per_rule": settings.examples_per_rule, "as_of": as_of.isoformat()},
        code=CODE,
    )
    outcome = run_stage(VALIDATE, place, inputs, work)
    share = float(outcome.record.notes["largest_quarantined_share"])
    if share > settings.quarantine_limit_share:
        raise QuarantineLimitExceeded(
            f"{share:.2%} of the rows of table {outcome.record.notes['largest_quarantined_table']} break its contract, "
            f"more than the {settings.quarantine_limit_share:.2%} of profile {profile.name}; "
            f"see {outcome.run_dir / 'data.en.html'}"
        )
    require_open_gate(outcome.run_dir)
    return outcome


def _comparisons(folder: Path, accepted: Mapping[str, pa.Table], as_of: date) -> dict[str, Any]:
    """Write the comparisons between tables to a folder, and return what the report says of them."""
    checked = reconciled(accepted, as_of)
    write_parquet(folder / RECONCILIATION_FILE, checked)
    document: dict[str, Any] = {
        "doubled_money": doubled_money(accepted),
        "shared_statements": statements_of_several_sellers(accepted, AsOf(as_of), STATEMENTS_SHOWN),
        "by_month": figures_by_month(accepted),
        "reconciliation": reconciliation_document(checked, as_of, SELLERS_SHOWN),
    }
    breaks = broken_documents(accepted, as_of)
    if breaks is not None:
        write_parquet(folder / BREAKS_FILE, breaks)
        document["export_documents"] = breaks_document(breaks, accepted["export_document"], as_of, BREAKS_SHOWN)
    in_bank = payout_matches(accepted, as_of)
    if in_bank is not None:
        write_parquet(folder / PAYOUT_MATCHES_FILE, in_bank)
        document["payouts_in_bank"] = payouts_document(in_bank, as_of, PAYOUTS_SHOWN)
    return document


def gate_reasons(document: Mapping[str, Any]) -> list[str]:
    """Return why the data of a validation may not be used, in English: what makes the light of its report say stop."""
    texts = page_texts("verdicts", "en")
    return [finding.sentence(texts) for finding in data_light(document).findings if finding.state == "stop"]


def validation_document(result: ValidationResult, ingested: Path, examples_per_rule: int) -> dict[str, Any]:
    """Return the contents of the report as plain values: row counts of the sources and verdicts on the tables.

    Args:
        result: result of the validation.
        ingested: run folder of the ingest that made the tables.
        examples_per_rule: number of quarantined rows to show for each rule.
    """
    row_counts = read_json(ingested / "row_counts.json")
    totals = totals_by_source(counts_of_document(row_counts))
    return {
        "sources": [_source_document(total, ingested, examples_per_rule) for total in totals],
        "unlisted_files": row_counts["unlisted_files"],
        "withheld_files": [account["file"] for account in row_counts["withheld_files"]],
        "tables": [
            {
                **asdict(verdict),
                "examples": examples(result.quarantine[verdict.table], examples_per_rule, _shown(verdict.table)),
            }
            for verdict in result.verdicts
        ],
    }


def _source_document(total: SourceTotal, ingested: Path, examples_per_rule: int) -> dict[str, Any]:
    name = total.source.partition("@")[0]
    contract = source_contract(name)
    path = ingested / "quarantine" / f"{name}.parquet"
    shown = {column.name for column in contract.columns if column.classification != "personal"}
    found = examples(read_parquet(path, EXAMPLE_COLUMNS), examples_per_rule, shown) if path.is_file() else {}
    descriptions = {rule.rule_id: rule.description for rule in contract.rules}
    reasons = (*total.quarantined, *total.warnings)
    return {
        **asdict(total),
        "name": name,
        "title": contract.title,
        "contract_digest": contract.digest,
        "descriptions": {reason: descriptions[reason] for reason in reasons if reason in descriptions},
        "examples": found,
    }


def _shown(table: str) -> set[str]:
    return {column.name for column in table_contract(table).columns if column.classification != "personal"}


def examples(quarantine: pa.Table, count: int, shown_columns: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the first quarantined rows by rule: file, row, column and value.

    Values of columns that are not in ``shown_columns`` (personal ones) are left out.
    """
    shown = set(shown_columns)
    records: Values = quarantine.select(EXAMPLE_COLUMNS)
    found: dict[str, list[dict[str, Any]]] = {}
    for rule_id in sorted(pc.unique(records["rule_id"]).to_pylist()):
        chosen = records.filter(pc.equal(records["rule_id"], pa.scalar(rule_id))).slice(0, count)
        found[rule_id] = [
            {
                "file": row["source_file"],
                "row": row["source_row"],
                "column": row["column"],
                "value": row["value"] if row["column"] is None or row["column"] in shown else None,
            }
            for row in chosen.to_pylist()
        ]
    return found


def _write(folder: Path, result: ValidationResult, document: Mapping[str, Any]) -> None:
    for name, table in result.accepted.items():
        write_parquet(folder / "tables" / f"{name}.parquet", table)
    for kind, tables in (("quarantine", result.quarantine), ("duplicates", result.duplicates)):
        for name, records in tables.items():
            if records.num_rows:
                write_parquet(folder / kind / f"{name}.parquet", records)
    write_json(folder / "validation.json", document)
    write_suites(folder, result.verdicts)
    for language in LANGUAGES:
        page = render_validation_page(document, language)
        atomic_write_bytes(folder / f"data.{language}.html", page.encode())


def _record(result: ValidationResult, reasons: Sequence[str]) -> StageRecord:
    set_aside: dict[str, int] = {}
    for verdict in result.verdicts:
        for rule_id, rows in verdict.quarantined.items():
            set_aside[f"{verdict.table} quarantined by {rule_id}"] = rows
        for rule_id, rows in verdict.duplicates.items():
            set_aside[f"{verdict.table} repeats {rule_id}"] = rows
    worst = max(result.verdicts, key=lambda verdict: verdict.quarantined_share, default=None)
    rules = [rule for verdict in result.verdicts for rule in verdict.rules]
    return StageRecord(
        rows_in=sum(verdict.rows_in for verdict in result.verdicts),
        rows_kept=sum(verdict.accepted for verdict in result.verdicts),
        set_aside=set_aside,
        notes={
            "largest_quarantined_share": worst.quarantined_share if worst else 0.0,
            "largest_quarantined_table": worst.table if worst else "",
            "rules": len(rules),
            "rules_failed": sum(rule.status == FAILED for rule in rules),
            "rules_not_validated": sum(rule.status == NOT_VALIDATED for rule in rules),
            "rules_without_values": sum(rule.status == NO_VALUES for rule in rules),
            **_not_validated(result),
            **gate_notes(reasons),
        },
    )


def _not_validated(result: ValidationResult) -> dict[str, str]:
    """Return the names of the rules that were not validated, by severity and table."""
    named: dict[str, list[str]] = {}
    for severity in Severity:
        for verdict in result.verdicts:
            for rule in verdict.rules:
                if rule.status == NOT_VALIDATED and rule.severity == severity:
                    named.setdefault(f"not_validated {severity} {verdict.table}", []).append(rule.rule_id)
    return {place: ", ".join(rules) for place, rules in named.items()}
