from __future__ import annotations

import pytest

from data_contracts.errors import InputRefused
from data_contracts.reading.headers import HeaderMatch, match_headers, require_headers
from tests.factories.contracts import column, contract_of, delimited


def test_headers_match_ignoring_case_and_spaces() -> None:
    contract = contract_of(
        [column("posted_on", header="Posted on"), column("sum", header="Amount")], server=delimited()
    )
    match = match_headers(["  AMOUNT\u00a0", "posted   ON "], contract)
    assert match.positions == {"posted_on": 1, "sum": 0}
    assert match.headers == ("posted_on", "sum")


def test_a_localised_header_matches() -> None:
    synonyms = [{"synonym": "Abrechnungsnummer", "locale": "de-DE"}, {"synonym": "決済番号", "locale": "ja-JP"}]
    contract = contract_of([column("settlement", header="settlement id", synonyms=synonyms)], server=delimited())
    assert match_headers(["決済番号"], contract).positions == {"settlement": 0}
    assert match_headers(["abrechnungsnummer"], contract).positions == {"settlement": 0}


def test_missing_columns_are_all_named_with_the_closest_present() -> None:
    contract = contract_of([column("a", header="Gross amount"), column("b", header="Day")], server=delimited())
    match = match_headers(["Gross ammount", "x"], contract)
    with pytest.raises(InputRefused, match=r"'Gross amount' \(closest present: 'Gross ammount'\), 'Day'"):
        require_headers(match, contract, "f.csv", 1)


def test_a_header_with_lookalike_letters_does_not_match() -> None:
    contract = contract_of([column("a", header="Amount")], server=delimited())
    assert [c.name for c in match_headers(["Аmount"], contract).missing] == ["a"]


def test_a_needed_header_that_occurs_twice_is_refused() -> None:
    contract = contract_of([column("a", header="Amount")], server=delimited())
    with pytest.raises(InputRefused, match="occurs twice"):
        require_headers(match_headers(["Amount", "amount "], contract), contract, "f", 1)


def test_exactly_one_of_two_headers_is_needed() -> None:
    custom = {"optionalHeader": True}
    columns = [column("a", header="Buyer", custom=custom), column("b", header="Supplier", custom=custom)]
    contract = contract_of(columns, server=delimited(exactlyOneOf=[["a", "b"]]))

    def required(*headers: str) -> tuple[str, ...]:
        return require_headers(match_headers(headers, contract), contract, "f", 1)

    assert required("Buyer") == required("Supplier") == ()
    for headers in ([], ["Buyer", "Supplier"]):
        with pytest.raises(InputRefused, match="exactly one of the columns 'Buyer' or 'Supplier'"):
            required(*headers)


@pytest.mark.parametrize(("policy", "notes"), [("warn", 1), ("allow", 0)])
def test_a_column_that_is_not_in_the_contract_is_left_out(policy: str, notes: int) -> None:
    contract = contract_of([column("a", header="A")], server=delimited(extraColumns=policy))
    match: HeaderMatch = match_headers(["New", "A"], contract)
    assert match.positions == {"a": 1}
    assert len(require_headers(match, contract, "f", 1)) == notes


def test_a_contract_may_refuse_other_columns() -> None:
    contract = contract_of([column("a", header="A")], server=delimited(extraColumns="refuse"))
    with pytest.raises(InputRefused, match="not in the contract: 'New'"):
        require_headers(match_headers(["New", "A"], contract), contract, "f", 1)
