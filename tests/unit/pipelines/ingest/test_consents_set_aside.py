"""After a row about a consent was set aside, no older consent stays in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from tests.factories.files.templates import template_csv
from tests.factories.raw_files import RawFile, ingested
from tests.unit.pipelines.ingest.test_consents import OTHERS, SALE, consent, consents, status_of, withdrawn

if TYPE_CHECKING:
    from pathlib import Path

READ = {"v/1.csv": "read", "v/2.csv": "read"}
FIRST_IN_DOUBT = {"v/1.csv": "consent not readable", "v/2.csv": "read"}


def statuses(folder: Path, *rows: dict[str, str], consent: str = "where_listed") -> dict[str, str]:
    """Return what happened to the invoices of two sellers."""
    result = ingested(folder, [consents(*rows), SALE, OTHERS], consent=consent)
    return {name: status_of(result, name) for name in READ}


@pytest.mark.parametrize(
    "slip",
    [
        {"withdrawn_on": "2025-03-41"},
        {"withdrawn_on": "2021-03-01", "event_date": "2021-03-01"},
        {"withdrawn_on": "2052-03-01", "event_date": "2052-03-01"},
        {"purpose": "credit"},
        {"consented_source": "VAT invoices"},
        {"consent_reference": ""},
    ],
    ids=["no such day", "before it began", "in the future", "unknown purpose", "no source's name", "no reference"],
)
def test_a_withdrawal_with_a_slip_withholds_all_of_its_seller_and_nothing_of_others(
    slip: dict[str, str], tmp_path: Path
) -> None:
    assert statuses(tmp_path, consent(), withdrawn("2025-03-01") | slip) == FIRST_IN_DOUBT


def test_it_withholds_sources_it_does_not_name_since_its_words_cannot_be_trusted(tmp_path: Path) -> None:
    spoilt = withdrawn("2025-03-41") | {"consented_source": "shopify_orders"}
    assert statuses(tmp_path, consent(), spoilt) == FIRST_IN_DOUBT


def test_a_withdrawal_under_the_number_of_another_statement_withholds_its_seller(tmp_path: Path) -> None:
    given = consent()
    assert statuses(tmp_path, given, withdrawn("2025-03-01") | {"consent_id": given["consent_id"]}) == FIRST_IN_DOUBT


def test_a_statement_repeated_word_for_word_changes_nothing(tmp_path: Path) -> None:
    assert statuses(tmp_path, consent(), consent()) == READ


def test_a_statement_set_aside_in_the_file_of_another_seller_counts_for_the_one_it_names(tmp_path: Path) -> None:
    foreign = RawFile("c/2.csv", "template_consent", template_csv([withdrawn("2025-03-01")]), "S000002")
    result = ingested(tmp_path, [consents(consent()), foreign, SALE, OTHERS])
    assert {name: status_of(result, name) for name in READ} == FIRST_IN_DOUBT


def test_where_the_seller_cannot_be_read_the_delivery_is_refused_in_one_line(tmp_path: Path) -> None:
    nameless = withdrawn("2025-03-01") | {"seller_id": ""}
    with pytest.raises(InputRefused) as refused:
        statuses(tmp_path, consent(), nameless)
    assert "\n" not in str(refused.value)
    for part in ("consents.csv", "row 3", "seller_id", "remedy"):
        assert part in str(refused.value)


def test_a_line_that_is_not_a_row_is_refused_too(tmp_path: Path) -> None:
    torn = RawFile("consents.csv", "template_consent", template_csv([consent()]) + b"C1,S000001\n")
    with pytest.raises(InputRefused, match="row 3"):
        ingested(tmp_path, [torn, SALE])


def test_if_no_consent_is_needed_a_bad_consent_row_is_set_aside_like_any_other(tmp_path: Path) -> None:
    assert statuses(tmp_path, consent(), withdrawn("2025-03-41"), consent="not_required") == READ
