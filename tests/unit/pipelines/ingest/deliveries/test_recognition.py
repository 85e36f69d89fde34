"""Files are recognised by their content. Headers are those of the contracts; all values are invented."""

from __future__ import annotations

import csv
import functools
import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.definition.contract import Column, CompiledContract
from data_contracts.errors import InputRefused
from data_contracts.reading.heading_text import normalised
from pipelines.ingest.deliveries import recognition
from pipelines.ingest.deliveries.recognition import (
    Recognition,
    described,
    exit_code_of,
    recognisable_contracts,
    recognise,
)
from pipelines.runs.sandbox import Call, Limits
from tests.factories.files.bank_files import MT940_FILE, OFX_1, camt_file
from tests.factories.files.header_files import every_column, header_file, in_locale, locales_of, needed_columns
from tests.factories.files.templates import template_csv, template_row
from tests.factories.files.workbooks import workbook, workbook_with
from tests.factories.files.xml_files import ceb_message, declaration_message, declared_item, list_record, summary_record
from tests.factories.raw_files import (
    amazon_file,
    amazon_total,
    declaration,
    declaration_item,
    declarations_file,
    shopify_file,
    shopify_order,
    vat_file,
    vat_row,
)

Columns = Callable[[CompiledContract], list[Column]]
SOURCES = [contract.contract_id for contract in recognisable_contracts()]
# Account messages have no header line: their tags and elements are fixed by a standard.
WITH_HEADERS = [s for s in SOURCES if source_contract(s).read_spec.format not in {"camt053", "mt940", "ofx"}]
LOCALES = [(source, locale) for source in SOURCES for locale in locales_of(source_contract(source))]
LOANS = header_file(source_contract("lender_loans"), every_column(source_contract("lender_loans")))


def found_in(folder: Path, data: bytes, name: str = "file.bin") -> Recognition:
    """Recognise a file of these bytes; its name has no meaning."""
    (folder / name).write_bytes(data)
    (found,) = recognise([folder / name])
    return found


def sources_met(found: Recognition) -> list[str]:
    return [fit.contract.contract_id for fit in found.met]


def reason_of(found: Recognition) -> str:
    assert not found.met
    assert found.reason is not None
    return found.reason


def zipped(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize("source", WITH_HEADERS)
@pytest.mark.parametrize("columns", [every_column, needed_columns])
def test_a_file_with_the_headers_of_a_source_is_of_that_source_and_no_other(
    source: str, columns: Columns, tmp_path: Path
) -> None:
    contract = source_contract(source)
    found = found_in(tmp_path, header_file(contract, columns(contract)))
    assert sources_met(found) == [source], described(found)
    assert found.met[0].foreign == ()


@pytest.mark.parametrize(("source", "locale"), LOCALES)
def test_headers_in_each_language_of_a_source_are_recognised(source: str, locale: str, tmp_path: Path) -> None:
    contract = source_contract(source)
    found = found_in(tmp_path, header_file(contract, every_column(contract), in_locale(locale)))
    assert sources_met(found) == [source], described(found)


@pytest.mark.parametrize("source", WITH_HEADERS)
def test_a_file_without_a_needed_column_names_it_beside_its_nearest_source(source: str, tmp_path: Path) -> None:
    contract = source_contract(source)
    present, needed = every_column(contract), needed_columns(contract)
    for lost in (needed[0], needed[-1]):
        found = found_in(tmp_path, header_file(contract, [column for column in present if column != lost]))
        assert found.nearest is not None
        assert found.nearest.contract.contract_id == source, described(found)
        assert [column.name for column in found.nearest.missing] in ([lost.name], [])
        assert found.nearest.missing or found.nearest.problem
        assert any(repr(lost.header) in line for line in described(found)[1:])
        assert exit_code_of([found]) == 2


SAMPLES = {
    "amazon_settlement_v2": amazon_file([amazon_total("1", "10.00")]),
    "shopify_orders": shopify_file([shopify_order("#1001", "1")]),
    "vat_invoices": vat_file("sale", [vat_row("1")]),
    "customs_declaration": declarations_file([declaration("1" * 18, [declaration_item("1")])]),
    "ceb_list": ceb_message("603", list_record("1")),
    "ceb_summary": ceb_message("792", summary_record("222520230000000099", ["1"])),
    "customs_declaration_xml": declaration_message([declared_item("1")]),
    "template_receivable": template_csv([template_row("receivable")]),
    "camt053_statement": camt_file(),
    "mt940_statement": MT940_FILE.encode(),
    "ofx_statement": OFX_1.encode(),
    "temu_ledger": workbook(
        {"财务明细": [["店铺: A"], ["账务时间", "账务类型", "币种", "收支金额", "备注"], ["2023-01-01"]]}
    ),
}


@pytest.mark.parametrize("source", SAMPLES)
def test_a_made_sample_with_rows_is_recognised_however_it_is_packed(source: str, tmp_path: Path) -> None:
    data = SAMPLES[source]
    plain = found_in(tmp_path, data)
    packed = found_in(tmp_path, gzip.compress(data), "a.gz")
    in_zip = found_in(tmp_path, zipped({"x/a.dat": data}), "b.zip")
    assert sources_met(plain) == sources_met(packed) == sources_met(in_zip) == [source]
    assert in_zip.file == f"{tmp_path}/b.zip/x/a.dat"


def test_a_folder_is_walked_in_order_and_links_in_it_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_bytes(LOANS)
    raw = tmp_path / "raw"
    (raw / "b").mkdir(parents=True)
    (raw / "b" / "loans.csv").write_bytes(LOANS)
    (raw / "a.txt").write_text("nothing we know\n")
    (raw / "link.csv").symlink_to(tmp_path / "outside.csv")
    found = list(recognise([raw]))
    assert [Path(one.file).name for one in found] == ["a.txt", "loans.csv"]
    assert [bool(one.met) for one in found] == [False, True]
    assert exit_code_of(found) == 2
    assert exit_code_of(found[1:]) == 0


def test_a_file_that_meets_several_contracts_lists_all_of_them(tmp_path: Path) -> None:
    loans, repayments = (source_contract(source) for source in ("lender_loans", "lender_repayments"))
    headers = {normalised(c.header): c.header for c in (*loans.columns, *repayments.columns)}
    found = found_in(tmp_path, (",".join(headers.values()) + "\n").encode())
    assert sources_met(found) == ["lender_loans", "lender_repayments"]
    assert len(described(found)) == 2
    assert exit_code_of([found]) == 0


def test_a_header_of_foreign_letters_is_named_with_the_letter(tmp_path: Path) -> None:
    found = found_in(tmp_path, LOANS.replace(b"Principal", "Рrincipal".encode()))
    (line,) = [line for line in described(found) if line.startswith("  missing")]
    assert "'Principal'" in line
    assert "CYRILLIC CAPITAL LETTER ER" in line


def test_a_file_with_semicolons_is_close_to_its_source_and_the_user_is_told(tmp_path: Path) -> None:
    found = found_in(tmp_path, LOANS.replace(b",", b";"))
    assert found.nearest is not None
    assert found.nearest.contract.contract_id == "lender_loans"
    assert found.nearest.problem == "its fields are separated by ';', but the contract says ','"


DELIMITED = [
    s for s in SOURCES if (spec := source_contract(s).read_spec).format == "delimited" and not spec.other_delimiters
]


@pytest.mark.parametrize("source", DELIMITED)
def test_a_file_saved_with_another_delimiter_is_near_its_source_and_the_delimiter_is_named(
    source: str, tmp_path: Path
) -> None:
    contract = source_contract(source)
    own = contract.read_spec.delimiter
    other = "," if own == "\t" else ";"
    headings = [column.header for column in every_column(contract)]
    lines = io.StringIO()
    csv.writer(lines, delimiter=other).writerows([headings, ["" for _ in headings]])
    found = found_in(tmp_path, lines.getvalue().encode())
    assert found.nearest is not None
    assert found.nearest.contract.contract_id == source
    assert found.nearest.problem == f"its fields are separated by {other!r}, but the contract says {own!r}"


def test_a_bank_table_below_a_title_in_brackets_without_its_balance_is_near_its_source(tmp_path: Path) -> None:
    text = "[HISTORYDETAIL]\n交易时间,转入金额,转出金额,对方单位,用途,摘要\n2024-04-01,5.00,,连连,提现,货款\n"
    for encoding in ("utf-8", "gb18030"):
        found = found_in(tmp_path, text.encode(encoding), encoding)
        assert found.nearest is not None
        assert found.nearest.contract.contract_id == "china_bank_statement"
        assert [column.header for column in found.nearest.missing] == ["余额"]


def test_a_wide_file_is_near_the_contract_whose_columns_it_has(tmp_path: Path) -> None:
    contract = source_contract("shopify_orders")
    needed = [column.header for column in needed_columns(contract)]
    wide = [*needed[1:], *(f"Shop's own column {number}" for number in range(300))]
    found = found_in(tmp_path, (",".join(wide) + "\n").encode())
    assert found.nearest is not None
    assert found.nearest.contract.contract_id == "shopify_orders"
    assert [column.header for column in found.nearest.missing] == [needed[0]]
    assert found.language is None


@pytest.mark.parametrize(
    ("headings", "said"),
    [
        ("päivämäärä/aika,tilitystunnus,tyyppi,tilausnumero,kuvaus,määrä", "in a language that no contract lists"),
        ("날짜,정산 번호,주문 번호,금액", "in Hangul letters, which no contract lists"),
        ("section,parent,description,order id", None),
    ],
)
def test_headings_in_a_language_that_no_contract_lists_are_called_so(
    headings: str, said: str | None, tmp_path: Path
) -> None:
    found = found_in(tmp_path, f"{headings}\n".encode())
    assert found.language is None if said is None else said in str(found.language)
    assert found.language is None or any(found.language in line for line in described(found))


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_a_file_in_another_encoding_is_close_to_its_source_and_the_user_is_told(encoding: str, tmp_path: Path) -> None:
    text = vat_file("sale", [vat_row("1")]).decode("utf-8-sig")
    found = found_in(tmp_path, text.encode(encoding))
    assert found.nearest is not None
    assert found.nearest.contract.contract_id == "vat_invoices"
    assert "utf-8" in str(found.nearest.problem)


def test_a_table_on_another_sheet_than_the_contract_reads_is_named(tmp_path: Path) -> None:
    contract = source_contract("tiktok_settlement")
    heading: list[object] = [column.header for column in contract.columns]
    found = found_in(tmp_path, workbook({"Reports": [["x"]], "Details": [heading]}))
    assert found.nearest is not None
    assert found.nearest.contract.contract_id == "tiktok_settlement"
    assert found.nearest.problem == "the contract reads sheet 'Order details', but the columns are in sheet 'Details'"


def test_records_cut_off_in_the_middle_are_recognised_by_those_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = declarations_file([declaration(str(number), [declaration_item("1")]) for number in range(40)])
    monkeypatch.setattr(recognition, "START_BYTES", len(data) // 2)
    assert sources_met(found_in(tmp_path, data)) == ["customs_declaration"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"[ ]", "no record"),
        (b"\x7fELF\0\0\0", "NUL"),
        (b"PAR1 and nothing behind", "Parquet"),
        (b"PK\x03\x04 and nothing behind", "workbook"),
        (b"\xd0\xcf\x11\xe0 and nothing behind", "workbook"),
        (b"\x1f\x8b and nothing behind", "cannot be read"),
        (gzip.compress(gzip.compress(LOANS)), "archive inside an archive"),
        (gzip.compress(zipped({"a.csv": LOANS})), "archive inside an archive"),
        (zipped({"a.zip": zipped({"a.csv": LOANS})}), "archive inside an archive"),
        (zipped({}), "contains 0 files"),
        (gzip.compress(LOANS)[:-12], "cannot be read"),
        (b"section,parent,description,hscode\n", "few or no columns"),
        (b"[" * 100_000, "few or no columns"),
        (b'[{"a":' * 50_000, "few or no columns"),
    ],
    # Names of their own: packed bytes hold the time, and two workers must collect the same tests.
    ids=[
        "nothing",
        "blank lines",
        "an empty list",
        "a program",
        "no Parquet",
        "no workbook",
        "no old workbook",
        "no gzip",
        "gzip in gzip",
        "zip in gzip",
        "zip in zip",
        "an empty zip",
        "a torn gzip",
        "a header alone",
        "a deep list",
        "a deep object",
    ],
)
def test_an_unreadable_file_reports_why_in_one_line(data: bytes, reason: str, tmp_path: Path) -> None:
    found = found_in(tmp_path, data)
    (line,) = described(found)
    assert reason in line
    assert exit_code_of([found]) == 2


def test_a_bomb_is_read_no_further_than_the_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recognition, "START_BYTES", 1000)
    monkeypatch.setattr(recognition, "MOST_WHOLE_BYTES", 2000)
    monkeypatch.setattr(recognition, "MOST_ARCHIVE_BYTES", 1500)
    assert "larger than 2000" in reason_of(found_in(tmp_path, b"PAR1" + bytes(5000)))
    assert "unpacks to" in reason_of(found_in(tmp_path, zipped({"[Content_Types].xml": bytes(50_000)})))
    (tmp_path / "many.zip").write_bytes(zipped({f"{n}.csv": LOANS + b"\n" * 5000 for n in range(3)}))
    met = [bool(one.met) for one in recognise([tmp_path / "many.zip"])]
    assert met == [True, True, False]
    monkeypatch.setattr(recognition, "MOST_ENTRIES", 2)
    assert "contains 3 files" in reason_of(next(recognise([tmp_path / "many.zip"])))


def test_a_name_in_an_archive_cannot_forge_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"x\nb.csv: matches lender_loans@2.0.0": b"nothing\n"}))
    (found,) = recognise([tmp_path / "a.zip"])
    assert all("\n" not in line for line in described(found))


def test_a_path_with_nothing_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no such file or folder"):
        list(recognise([tmp_path / "absent"]))


@pytest.mark.slow
def test_a_workbook_that_takes_all_memory_is_reported_and_the_other_files_are_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "Call", functools.partial(Call, limits=Limits(memory_mib=1024, cpu_seconds=60)))
    far_cell = b'<row r="3000"><c r="XFD3000"><v>1</v></c></row>'
    (tmp_path / "a.xlsx").write_bytes(workbook_with({"Sheet1": [["x"]]}, far_cell))
    (tmp_path / "b.csv").write_bytes(LOANS)
    first, second = recognition.recognise_in_sandbox([tmp_path])
    assert "the process that read it" in (first.reason or "")
    assert [fit.contract.contract_id for fit in second.met] == ["lender_loans"]
