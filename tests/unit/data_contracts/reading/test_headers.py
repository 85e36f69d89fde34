from __future__ import annotations

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from data_contracts.reading.headers import HeaderMatch, match_headers, require_headers
from data_contracts.reading.heading_text import normalised
from pipelines.ingest.deliveries.recognition import recognisable_contracts
from tests.factories.contracts import column, contract_of, delimited


def test_headers_match_ignoring_case_and_spaces() -> None:
    contract = contract_of(
        [column("posted_on", header="Posted on"), column("sum", header="Amount")], server=delimited()
    )
    match = match_headers(["  AMOUNT\u00a0", "posted   ON "], contract)
    assert match.positions == {"posted_on": 1, "sum": 0}
    assert match.headers == ("posted_on", "sum")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("EXPORTER_NAME", "Exporter Name"),
        ("settlement-id", "Settlement\u00a0ID:"),
        ("Net – sales *", "net — SALES"),
        ("SİPARİŞ NO.", "sipariş no."),
        ("ADI", "adı"),
        ("crédits d’emballage", "CRÉDITS D'EMBALLAGE"),
        ("金额（元）", "金额(RMB)"),
        ("Ｔｉｍｅ（ＵＴＣ）", "time (GMT)"),
        ("Order\u200b\u200fID", "OrderID"),
        ("Booked [USD]", "booked (US$)"),
    ],
)
def test_headings_that_differ_only_in_how_they_are_written_are_equal(one: str, other: str) -> None:
    assert normalised(one) == normalised(other) == normalised(normalised(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Amount (USD)", "Amount (EUR)"),
        ("Amount (USD)", "Amount"),
        ("金额（+元）", "金额（-元）"),
        ("Fee (incl. SST)", "Fee"),
        ("Created (UTC)", "Created (PST)"),
        ("Amount", "Аmount"),
    ],
)
def test_headings_that_may_mean_two_things_are_not_equal(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def test_a_unit_or_zone_that_the_contract_does_not_spell_must_agree_with_the_column() -> None:
    columns = [
        column("paid", "number", header="Paid", custom={"unit": "CNY"}),
        column("fee", "number", header="Fee", custom={"unit": "currency of the row"}),
        column("at", "timestamp", header="Settled at", options={"defaultTimezone": "UTC"}),
    ]
    contract = contract_of(columns, server=delimited())
    assert match_headers(["Paid（元）", "Fee (RM)", "settled_at (UTC)"], contract).headers == ("paid", "fee", "at")
    assert match_headers(["Paid (USD)", "Fee (net)", "Settled at (PST)"], contract).headers == ()


def test_the_exact_spelling_goes_first_and_a_doubt_is_refused() -> None:
    columns = [column("a", header="Sum-total"), column("b", header="Sum total")]
    contract = contract_of(columns, server=delimited(extraColumns="allow"))
    match = match_headers(["SUM_TOTAL", "sum total", "Sum-Total"], contract)
    assert (match.positions, match.extra, match.ambiguous) == ({"a": 2, "b": 1}, ("SUM_TOTAL",), ())
    assert match_headers(["SUM_TOTAL"], contract).ambiguous == ("SUM_TOTAL",)
    twice = match_headers(["sum_total", "sum–total", "Sum-total"], contract)
    assert twice.ambiguous == ("sum–total",)


@pytest.mark.parametrize("source", [contract.contract_id for contract in recognisable_contracts()])
def test_no_two_columns_of_a_contract_have_headings_that_are_equal(source: str) -> None:
    places: dict[str, set[str]] = {}
    for one in source_contract(source).columns:
        for spelling in (one.header, *one.synonyms):
            places.setdefault(normalised(spelling), set()).add(one.name)
    assert {spelling: names for spelling, names in places.items() if len(names) > 1} == {}


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


def test_of_several_spellings_of_one_column_the_first_of_the_contract_is_read() -> None:
    synonyms = [{"synonym": "Net value"}, {"synonym": "Value"}, {"synonym": "Gross value"}]
    custom = {"preferFirst": True}
    contract = contract_of([column("a", header="Value", synonyms=synonyms, custom=custom)], server=delimited())
    match = match_headers(["GROSS_VALUE", "Value", "NET_VALUE"], contract)
    assert (match.positions, match.passed_over, match.ambiguous) == ({"a": 2}, ("GROSS_VALUE", "Value"), ())
    assert any("'GROSS_VALUE', 'Value'" in note for note in require_headers(match, contract, "f", 1))
    with pytest.raises(InputRefused, match="occurs twice"):
        require_headers(match_headers(["net value", "Net  Value", "Value"], contract), contract, "f", 1)


def test_one_of_several_groups_of_headers_is_needed_as_a_whole() -> None:
    custom = {"optionalHeader": True}
    columns = [column(name, header=name.upper(), custom=custom) for name in ("usd", "own", "code")]
    contract = contract_of(columns, server=delimited(anyOf=[["usd"], ["own", "code"]]))
    for headers in (["USD"], ["Own", "Code"], ["usd", "own"]):
        assert require_headers(match_headers(headers, contract), contract, "f", 1) == ()
    with pytest.raises(InputRefused, match="it needs 'USD', or 'OWN' with 'CODE'; present: 'own'"):
        require_headers(match_headers(["own"], contract), contract, "f", 1)


def test_a_file_of_a_kind_that_the_contract_names_is_refused_as_such() -> None:
    refused = [{"headings": ["Month"], "rule": "it holds monthly sums", "remedy": "export the single records"}]
    contract = contract_of([column("a", header="A")], server=delimited(refusedHeadings=refused))
    with pytest.raises(InputRefused, match="column 'MONTH:': it holds monthly sums; remedy: export the single records"):
        require_headers(match_headers(["MONTH:"], contract), contract, "f", 1)


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
