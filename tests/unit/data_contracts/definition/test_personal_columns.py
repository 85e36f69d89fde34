"""Personal values have an end: every personal column of every contract says after how many days it is removed."""

from __future__ import annotations

import pytest

from data_contracts.definition.compiler import source_contract, table_contract, table_names
from data_contracts.errors import ConfigurationRefused
from data_contracts.sources.registry import mapped_sources
from tests.factories.contracts import column, contract_of

CONTRACTS = [source_contract(name) for name in mapped_sources()] + [table_contract(name) for name in table_names()]


def test_every_personal_column_of_every_contract_states_how_long_it_is_kept() -> None:
    personal = [(one.identity, c) for one in CONTRACTS for c in one.columns if c.classification == "personal"]
    assert len(personal) > 60
    assert [f"{name}: {c.name}" for name, c in personal if c.retention_days is None] == []


def test_a_pseudonym_may_be_kept_longer_than_the_text_it_was_made_of() -> None:
    raw = source_contract("template_site_order").column("customer_email").retention_days
    kept = table_contract("site_order").column("customer_id").retention_days
    assert (raw, kept) == (365, 2557)


@pytest.mark.parametrize("days", [0, -1, "a year", True, 1.5])
def test_a_retention_that_is_no_number_of_days_is_refused(days: object) -> None:
    with pytest.raises(ConfigurationRefused, match="retentionDays"):
        contract_of([column("a", customProperties=[{"property": "retentionDays", "value": days}])])
