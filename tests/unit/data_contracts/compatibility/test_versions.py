"""Rules of a contract change only with a raised version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from data_contracts.compatibility.versions import recorded_versions, rules_digest
from data_contracts.definition.compiler import source_contract
from data_contracts.definition.contract import Severity
from data_contracts.errors import ConfigurationRefused

CONTRACT = source_contract("shop_traffic")
RULE, *OTHERS = CONTRACT.rules
STRICTER = replace(CONTRACT, rules=(replace(RULE, severity=Severity.CRITICAL), *OTHERS))
RECORD = recorded_versions([CONTRACT], {})


def test_new_words_need_no_other_version() -> None:
    reworded = replace(
        CONTRACT,
        purpose="other words",
        digest="of another file",
        rules=(replace(RULE, description="other words"), *OTHERS),
        columns=tuple(replace(column, description="other words") for column in CONTRACT.columns),
    )
    assert recorded_versions([reworded], RECORD) == RECORD


@pytest.mark.parametrize("version", [CONTRACT.version, "0.9.0"])
def test_a_changed_rule_without_a_raised_version_is_refused_in_one_line(version: str) -> None:
    with pytest.raises(ConfigurationRefused, match="rules of contract shop_traffic changed") as refusal:
        recorded_versions([replace(STRICTER, version=version)], RECORD)
    assert "\n" not in str(refusal.value)


def test_a_raised_version_records_the_new_rules() -> None:
    raised = replace(STRICTER, version="99.0.0")
    assert recorded_versions([raised], RECORD) == {
        "shop_traffic": {"version": "99.0.0", "rules_sha256": rules_digest(raised)}
    }
    assert rules_digest(raised) != rules_digest(CONTRACT)


def test_a_new_column_header_type_or_reading_changes_the_digest() -> None:
    first, *others = CONTRACT.columns
    spec = CONTRACT.read_spec
    assert spec is not None
    changed = [
        replace(CONTRACT, columns=(replace(first, synonyms=("Date",)), *others)),
        replace(CONTRACT, columns=(replace(first, required=not first.required), *others)),
        replace(CONTRACT, read_spec=replace(spec, decimal_mark=",")),
        replace(CONTRACT, known_lag_days=9),
    ]
    assert len({rules_digest(one) for one in [CONTRACT, *changed]}) == 5
