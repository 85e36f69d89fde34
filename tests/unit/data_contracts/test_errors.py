from __future__ import annotations

import pytest

from data_contracts.errors import (
    ConfigurationRefused,
    GateFailed,
    InputRefused,
    IntegrityRefused,
    InternalFault,
    PassportError,
    QuarantineLimitExceeded,
)


def test_a_refused_input_names_file_row_column_rule_and_remedy() -> None:
    refusal = InputRefused(file="a.csv", row=7, column="Amount", rule="no number", remedy="write digits")
    assert str(refusal) == "input refused: file a.csv, row 7, column 'Amount': no number; remedy: write digits"


def test_unknown_places_are_left_out_of_the_message() -> None:
    assert (
        str(InputRefused(file="a", rule="empty", remedy="send it")) == "input refused: file a: empty; remedy: send it"
    )


@pytest.mark.parametrize("forged", ["a\nERROR all is well", "a\r\nb", "a\x1b[2K", "a\u2028b", "a\u202eb"])
def test_a_hostile_name_cannot_forge_a_second_line(forged: str) -> None:
    text = str(InputRefused(file=forged, rule="r", remedy="m"))
    assert len(text.splitlines()) == 1
    assert text.isprintable()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputRefused(file="f", rule="r", remedy="m"), 2),
        (ConfigurationRefused("m", "r"), 2),
        (IntegrityRefused("m"), 2),
        (GateFailed("m"), 1),
        (QuarantineLimitExceeded("m"), 1),
        (InternalFault("m"), 3),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: PassportError, code: int) -> None:
    assert error.exit_code == code
