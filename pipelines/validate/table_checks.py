"""Check canonical tables twice: by our own row checks, which decide, and by Great Expectations, which must agree.

The suites and results of Great Expectations are written as plain JSON with the same bytes for the same tables and
contracts; its own result documents contain random identifiers and the time of the run.
"""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from data_contracts.checks.expectations import suite_document, validate_with_gx
from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import table_contract, table_names
from data_contracts.errors import ConfigurationRefused, InternalFault
from data_contracts.progress import SILENT
from pipelines.runs.publish import read_parquet, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from data_contracts.checks.expectations import GxFinding, GxOutcome
    from data_contracts.checks.rows import CheckResult
    from data_contracts.definition.contract import CompiledContract, Rule
    from data_contracts.progress import Progress

log = logging.getLogger(__name__)

PASSED, FAILED, NOT_VALIDATED, NO_VALUES = "passed", "failed", "not_validated", "no_values"
SUITES_FOLDER = "suites"
PROCESSES: Final = 2
# With fewer rows, importing Great Expectations in two more processes takes longer than they save.
ROWS_FOR_PROCESSES: Final = 3_000_000


@dataclass(frozen=True)
class RuleVerdict:
    """The verdict of both checks on one rule for one table.

    Attributes:
        rule_id, scope, kind, column, severity, description: the rule, as its contract states it.
        status: ``passed``, ``failed``, ``not_validated`` if it could not be evaluated, or ``no_values`` if there was
            nothing to evaluate.
        bad_rows: rows that break it by our own checks; for a rule about the whole table, 1 if broken.
        expectation: name of the expectation that evaluated it.
        gx_bad_rows: the count of Great Expectations, or None if it could not evaluate the rule.
        values_judged: values that Great Expectations evaluated; missing values are left to the rule that requires a
            value.
        exception: why it is not validated.
    """

    rule_id: str
    scope: str
    kind: str
    column: str | None
    severity: str
    description: str
    status: str
    bad_rows: int
    expectation: str
    gx_bad_rows: int | None
    values_judged: int
    exception: str | None


@dataclass(frozen=True)
class TableVerdict:
    """Where the rows of one canonical table went, and the verdict on each of its rules.

    ``quarantined`` and ``duplicates`` count rows by rule; ``rejected_by`` names the broken critical rules, which reject
    the whole table.
    """

    table: str
    contract: str
    title: str
    contract_digest: str
    rows_in: int
    accepted: int
    quarantined: Mapping[str, int]
    duplicates: Mapping[str, int]
    rejected_by: tuple[str, ...]
    rules: tuple[RuleVerdict, ...]

    @property
    def quarantined_share(self) -> float:
        """Share of the rows that were quarantined; 0 for a table without rows."""
        return sum(self.quarantined.values()) / self.rows_in if self.rows_in else 0.0


@dataclass(frozen=True)
class ValidationResult:
    """The result of the validation: accepted rows, rows set aside (QUARANTINE_SCHEMA), and verdicts."""

    accepted: dict[str, pa.Table]
    quarantine: dict[str, pa.Table]
    duplicates: dict[str, pa.Table]
    verdicts: tuple[TableVerdict, ...]


def validate_tables(
    tables: Mapping[str, pa.Table], progress: Progress = SILENT, stored: Path | None = None
) -> ValidationResult:
    """Check canonical tables against their contracts, in alphabetical order.

    Args:
        tables: the tables by name.
        progress: receives the number of rows checked.
        stored: folder with the same tables as Parquet. With it, Great Expectations reads many rows in processes of its
            own.

    Raises:
        ConfigurationRefused: there is no such canonical table.
        InternalFault: the two checks count differently, or the rows do not add up.
    """
    unknown = sorted(set(tables) - set(table_names()))
    if unknown:
        raise ConfigurationRefused(f"there is no canonical table {unknown[0]!r}", f"use {', '.join(table_names())}")
    checks: dict[str, CheckResult] = {}
    verdicts = []
    row_count = sum(table.num_rows for table in tables.values())
    progress.start("rows checked", row_count)
    with _second_opinions(tables, stored if row_count >= ROWS_FOR_PROCESSES else None) as opinion_on:
        for name in sorted(tables):
            contract = table_contract(name)
            checks[name] = check_rows(tables[name], contract)
            verdicts.append(_verdict(contract, checks[name], opinion_on(name)))
            progress.advance(tables[name].num_rows)
            log.info("validated %s: %d rows", name, tables[name].num_rows)
    return ValidationResult(
        accepted={name: check.accepted for name, check in checks.items()},
        quarantine={name: check.quarantined for name, check in checks.items()},
        duplicates={name: check.duplicates for name, check in checks.items()},
        verdicts=tuple(verdicts),
    )


@contextmanager
def _second_opinions(tables: Mapping[str, pa.Table], stored: Path | None) -> Iterator[Callable[[str], GxOutcome]]:
    """Yield a function that returns what Great Expectations finds in a table, computed in processes if it is stored."""
    if stored is None:
        yield lambda name: validate_with_gx(tables[name], table_contract(name))
        return
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        largest_first = sorted(tables, key=lambda name: -tables[name].num_rows)
        found = {name: pool.submit(_opinion_on_stored, stored / f"{name}.parquet") for name in largest_first}
        try:
            yield lambda name: found[name].result()
        finally:
            pool.shutdown(cancel_futures=True)


def _opinion_on_stored(path: Path) -> GxOutcome:
    return validate_with_gx(read_parquet(path), table_contract(path.stem))


def _verdict(contract: CompiledContract, check: CheckResult, outcome: GxOutcome) -> TableVerdict:
    findings = {finding.rule_id: finding for finding in outcome.findings}
    rules = (_rule_verdict(rule, check, findings[rule.rule_id], contract) for rule in contract.rules)
    verdict = TableVerdict(
        table=contract.table,
        contract=contract.identity,
        title=contract.title,
        contract_digest=contract.digest,
        rows_in=check.rows_in,
        accepted=check.accepted.num_rows,
        quarantined=_by_rule(check.quarantined),
        duplicates=_by_rule(check.duplicates),
        rejected_by=check.rejected_by,
        rules=tuple(rules),
    )
    sorted_rows = verdict.accepted + sum(verdict.quarantined.values()) + sum(verdict.duplicates.values())
    if sorted_rows != verdict.rows_in:
        raise InternalFault(f"{contract.table}: {verdict.rows_in} rows came in and {sorted_rows} were sorted")
    return verdict


def _by_rule(records: pa.Table) -> dict[str, int]:
    return dict(sorted(Counter(str(rule_id) for rule_id in records["rule_id"].to_pylist()).items()))


def _rule_verdict(rule: Rule, check: CheckResult, finding: GxFinding, contract: CompiledContract) -> RuleVerdict:
    ours = check.counts_by_rule[rule.rule_id]
    if finding.validated and finding.unexpected_count != ours:
        raise InternalFault(
            f"{contract.identity}, rule {rule.rule_id}: our checks count {ours} bad rows and Great Expectations "
            f"{finding.unexpected_count}"
        )
    return RuleVerdict(
        rule_id=rule.rule_id,
        scope=rule.scope,
        kind=str(rule.kind),
        column=rule.column,
        severity=str(rule.severity),
        description=rule.description,
        status=_status(finding, ours),
        bad_rows=ours,
        expectation=finding.expectation,
        gx_bad_rows=finding.unexpected_count if finding.validated else None,
        values_judged=finding.evaluated,
        exception=finding.exception,
    )


def _status(finding: GxFinding, bad_rows: int) -> str:
    if not finding.validated:
        return NO_VALUES if finding.exception is None else NOT_VALIDATED
    return FAILED if bad_rows else PASSED


def write_suites(folder: Path, verdicts: Iterable[TableVerdict]) -> None:
    """Write, for every table, its suite ``suites/<table>.json`` and results ``suites/<table>.results.json``."""
    for verdict in verdicts:
        write_json(folder / SUITES_FOLDER / f"{verdict.table}.json", suite_document(table_contract(verdict.table)))
        write_json(folder / SUITES_FOLDER / f"{verdict.table}.results.json", results_document(verdict))


def results_document(verdict: TableVerdict) -> dict[str, Any]:
    """Return the results of Great Expectations on a table, in the form of its validation results.

    ``success`` is null if nothing could be evaluated: such a rule has neither passed nor failed.
    """
    judged = [rule for rule in verdict.rules if rule.gx_bad_rows is not None]
    passed = sum(rule.status == PASSED for rule in judged)
    return {
        "suite_name": verdict.contract,
        "success": passed == len(judged) if judged else None,
        "statistics": {
            "evaluated_expectations": len(judged),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(judged) - passed,
            "not_validated_expectations": sum(rule.status == NOT_VALIDATED for rule in verdict.rules),
            "expectations_without_values": sum(rule.status == NO_VALUES for rule in verdict.rules),
        },
        "results": [_result(rule) for rule in verdict.rules],
    }


def _result(rule: RuleVerdict) -> dict[str, Any]:
    return {
        "expectation_config": {"type": rule.expectation, "meta": {"rule_id": rule.rule_id, "scope": rule.scope}},
        "success": None if rule.gx_bad_rows is None else rule.status == PASSED,
        "result": {"evaluated_count": rule.values_judged, "unexpected_count": rule.gx_bad_rows},
        "exception_info": {"raised_exception": rule.exception is not None, "exception_message": rule.exception},
    }
