"""The suites of Great Expectations beside the validation report: what was asked of each table, and what was found.

Both are plain JSON, the same bytes for the same tables and contracts: Great Expectations' own result documents carry
identifiers drawn by chance and the time of the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data_contracts.checks.expectations import suite_document
from data_contracts.definition.compiler import table_contract
from pipelines.runs.publish import write_json
from pipelines.validate.table_checks import PASSED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipelines.validate.table_checks import RuleVerdict, TableVerdict

SUITES_FOLDER = "suites"


def write_suites(folder: Path, verdicts: Iterable[TableVerdict]) -> None:
    """Write ``suites/<table>.json``, the suite, and ``suites/<table>.results.json``, its results, for every table."""
    for verdict in verdicts:
        write_json(folder / SUITES_FOLDER / f"{verdict.table}.json", suite_document(table_contract(verdict.table)))
        write_json(folder / SUITES_FOLDER / f"{verdict.table}.results.json", results_document(verdict))


def results_document(verdict: TableVerdict) -> dict[str, Any]:
    """Give what Great Expectations found on a table, in the form of its validation results.

    ``success`` is null where nothing could be judged: such a rule has neither passed nor failed.
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
            "not_validated_expectations": len(verdict.rules) - len(judged),
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
