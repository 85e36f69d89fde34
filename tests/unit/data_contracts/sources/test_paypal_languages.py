"""PayPal's downloads in the languages of their accounts, with the words of loans, holds and transfers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from data_contracts.mapping.event_types import event_type_of, event_type_rules
from tests.factories.raw_files import RawFile, cells, ingested, only_account

GERMAN = "Datum,Uhrzeit,Zeitzone,Name,Typ,Status,Währung,Brutto,Entgelt,Netto,Transaktionscode,Guthaben,Auswirkung auf \
Guthaben"
FRENCH = "Date,Heure,Fuseau horaire,Nom,Type,État,Devise,Avant commission,Commission,Net,Numéro de transaction,Solde,\
Impact sur le solde"
ITALIAN = (
    "Data,Orario,Fuso orario,Nome,Tipo,Stato,Valuta,Lordo,Tariffa,Netto,Codice transazione,Saldo,Impatto sul saldo"
)
SPANISH = "Fecha,Hora,Zona horaria,Nombre,Tipo,Estado,Divisa,Bruto,Tarifa,Neto,Id. de transacción,Saldo"


def account_file(header: str, *rows: tuple[str, ...]) -> RawFile:
    width = header.count(",") + 1
    lines = [",".join(f'"{cell}"' for cell in (*row, "", "")[:width]) for row in rows]
    data = "\ufeff" + "\n".join([header, *lines, ""])
    return RawFile("Download.csv", "paypal_activity", data.encode(), "S000001", "P1", "2024-12-01", "2025-12-31")


@pytest.mark.parametrize(
    ("header", "day", "kind_and_state", "amounts"),
    [
        (GERMAN, "3.12.2025", "Allgemeine Zahlung|Abgeschlossen", ("1.020,00", "-25,88", "994,12")),
        (FRENCH, "03/12/2025", "Paiement Express Checkout|Terminé", ("1\u00a0020,00", "-25,88", "994,12")),
        (ITALIAN, "03/12/2025", "Pagamento Express Checkout|Completato", ("1.020,00", "-25,88", "994,12")),
        (SPANISH, "3/12/2025", "Pago exprés|Completado", ("1.020,00", "-25,88", "994,12")),
    ],
    ids=["German", "French", "Italian", "Spanish"],
)
def test_a_download_in_another_language_is_read_day_first_with_its_own_numbers(
    tmp_path: Path, header: str, day: str, kind_and_state: str, amounts: tuple[str, ...]
) -> None:
    row = (day, "10:00:00", "Europe/Paris", "B", *kind_and_state.split("|"), "EUR", *amounts, "T1")
    result = ingested(tmp_path, [account_file(header, row)])
    assert [
        (kind, amount, str(moment))
        for kind, amount, moment in cells(result.tables["money_event"], "event_type", "amount", "event_at")
    ] == [
        ("sale", Decimal("1020.0000"), "2025-12-03 09:00:00+00:00"),
        ("commission", Decimal("-25.8800"), "2025-12-03 09:00:00+00:00"),
    ]


def test_a_german_pending_row_and_one_without_an_impact_move_nothing(tmp_path: Path) -> None:
    sale = ("13.02.2025", "10:00:00", "CET", "B", "Handyzahlung", "Abgeschlossen", "EUR", "5,00", "0,00", "5,00")
    rows = (
        (*sale[:5], "Ausstehend", *sale[6:], "T1"),
        (*sale, "T2", "0,00", "Keine Auswirkung auf Guthaben"),
        (*sale, "T3", "5,00", "Haben"),
    )
    result = ingested(tmp_path, [account_file(GERMAN, *rows)])
    assert only_account(result).warnings == {"memo, which moves nothing": 1, "transaction not completed": 1}
    assert result.tables["money_event"].num_rows == 1


@pytest.mark.parametrize(
    ("kind", "direction", "event_type"),
    [
        ("PayPal Working Capital Loan", "in", "advance"),
        ("PayPal Working Capital Loan Repayment", "out", "advance_repayment"),
        ("Reversal of PayPal Working Capital repayments", "in", "advance_repayment"),
        ("PayPal Business Loan", "in", "advance"),
        ("Receivables financing", "in", "advance"),
        ("PayPal Businesskredit Auszahlung", "in", "advance"),
        ("Darlehensrückzahlung", "out", "advance_repayment"),
        ("Kreditrückzahlung", "out", "advance_repayment"),
        ("Rückzahlung PayPal-Kredit", "out", "advance_repayment"),
        ("Kreditauszahlung", "in", "advance"),
        ("Rückzahlung auf Kreditkarte", "out", "refund"),
        ("Remboursement du prêt PayPal", "out", "advance_repayment"),
        ("Rimborso prestito", "out", "advance_repayment"),
        ("Préstamo PayPal", "in", "advance"),
        ("Bank Deposit to PP Account", "in", "own_transfer"),
        ("General Credit Card Deposit", "in", "own_transfer"),
        ("Bankgutschrift auf PayPal-Konto", "in", "own_transfer"),
        ("Abbuchung von Kreditkarte", "out", "own_transfer"),
        ("Reversal of ACH Deposit", "out", "own_transfer"),
        ("Versamento generico con carta", "in", "own_transfer"),
        ("User Initiated Withdrawal", "out", "payout"),
        ("Von Nutzer eingeleitete Abbuchung", "out", "payout"),
        ("Reversal of ACH Withdrawal", "in", "payout_reversal"),
        ("Rückbuchung von ACH-Abbuchung", "in", "payout_reversal"),
        ("Account Hold for Open Authorization", "out", "reserve_hold"),
        ("Reversal of General Account Hold", "in", "reserve_release"),
        ("Reserve Release", "in", "reserve_release"),
        ("Einbehaltung für offene Autorisierung", "out", "reserve_hold"),
        ("Rückbuchung allgemeiner Einbehaltung", "in", "reserve_release"),
        ("Payment Reversal", "out", "chargeback"),
        ("Chargeback Fee", "out", "commission"),
        ("Rückzahlung", "out", "refund"),
        ("Conversione di valuta generica", "out", "fx"),
        ("PayPal Express-Zahlung", "in", "sale"),
        ("Mass Pay Payment", "out", "other"),
    ],
)
def test_the_words_of_an_activity_entry_tell_its_event_type(kind: str, direction: str, event_type: str) -> None:
    rules = event_type_rules("data_contracts.sources.paypal_activity")
    assert event_type_of({"kind": kind, "direction": direction, "part": "amount"}, rules) == event_type


def test_a_german_statement_has_holds_and_deposits_but_no_status(tmp_path: Path) -> None:
    header = "Datum,Uhrzeit,Zeitzone,Beschreibung,Währung,Brutto,Entgelt,Netto,Guthaben,Transaktionscode,Name"
    rows = [
        '01.02.2025,10:00:00,CET,Website-Zahlung,EUR,"100,00","-3,00","97,00","97,00",T1,B',
        '02.02.2025,10:00:00,CET,Einbehaltung für offene Autorisierung,EUR,"-40,00","0,00","-40,00","57,00",T2,',
        '05.02.2025,10:00:00,CET,Rückbuchung allgemeiner Einbehaltung,EUR,"40,00","0,00","40,00","97,00",T2,',
        '06.02.2025,10:00:00,CET,Bankgutschrift auf PayPal-Konto,EUR,"25,00","0,00","25,00","122,00",T3,',
        '07.02.2025,10:00:00,CET,Von Nutzer eingeleitete Abbuchung,EUR,"-97,00","0,00","-97,00","25,00",T4,',
    ]
    data = "\n".join([header, *rows, ""]).encode()
    file = RawFile("Kontoauszug.csv", "paypal_statement", data, "S000001", "P1", "2025-02-01", "2025-02-28")
    result = ingested(tmp_path, [file])
    assert cells(result.tables["money_event"], "event_type", "amount") == [
        ("sale", Decimal("100.0000")),
        ("commission", Decimal("-3.0000")),
        ("reserve_hold", Decimal("-40.0000")),
        ("reserve_release", Decimal("40.0000")),
        ("own_transfer", Decimal("25.0000")),
        ("payout", Decimal("-97.0000")),
    ]
