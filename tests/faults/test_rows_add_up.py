"""No row vanishes: an independent count of the files equals accepted, set-aside and duplicate rows, file by file."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ingest.batches.batch import BatchRequest, BatchResult, ingest_batch
from tests.factories.faults.hostile_files import delivered_file
from tests.factories.raw_files import HMAC_KEY, LOANS_HEADER

SOURCE = "lender_loans"
LOAN = "{},S000001,LN01,2023-01-02,2024-01-02,7000.00,CNY,12.50,12"
# Lines that are no loans, each with what a person would say is wrong with it.
BAD_LINES = {
    "too short": "L1,S000001,LN01",
    "too long": LOAN.format("L1") + ",more",
    "no number": LOAN.format("L1").replace("7000.00", "many"),
    "no day": LOAN.format("L1").replace("2023-01-02", "2023-02-30"),
    "ends before it begins": LOAN.format("L1").replace("2024-01-02", "2022-01-02"),
    "number of another form": LOAN.format("L1 or so"),
    "open quote": '"' + LOAN.format("L1"),
    "NUL": LOAN.format("L\0"),
    "carriage return": LOAN.format("L\r1"),
    "header again": LOANS_HEADER,
    "blanks only": "   ",
}
GOOD, REPEATED, BLANK = "good", "repeated", "blank"


def lines_of(kinds: list[str], first: int) -> list[str]:
    """Return the lines of a file; good ones are numbered from ``first``, a repeated one is loan 0 of another file."""
    made = {
        GOOD: lambda place: LOAN.format(f"N{first + place}"),
        REPEATED: lambda _: LOAN.format("N0"),
        BLANK: lambda _: "",
    }
    return [
        made[kind](place) if kind in made else BAD_LINES[kind].replace("L1", f"B{first + place}")
        for place, kind in enumerate(kinds)
    ]


def read(files: dict[str, bytes]) -> BatchResult:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        delivered = tuple(delivered_file(name, SOURCE, len(data)) for name, data in files.items())
        return ingest_batch(
            BatchRequest(Path(folder), SOURCE, delivered, datetime(2026, 1, 1, tzinfo=UTC), {}, HMAC_KEY)
        )


def where(records: object) -> list[tuple[str, int]]:
    """Return file and row number of each record."""
    return list(zip(records["source_file"].to_pylist(), records["source_row"].to_pylist(), strict=True))  # type: ignore[index]


@settings(max_examples=300)
@given(
    mixes=st.lists(
        st.lists(st.sampled_from([GOOD, GOOD, REPEATED, BLANK, *BAD_LINES]), max_size=12), min_size=1, max_size=3
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
    last_line_ends=st.booleans(),
)
def test_every_line_is_in_one_place_alone(mixes: list[list[str]], ending: str, last_line_ends: bool) -> None:
    mixes = [[REPEATED, *mixes[0]], *mixes[1:]]  # the first time it stands for the loan itself
    texts = [[LOANS_HEADER, *lines_of(kinds, 100 * number + 1)] for number, kinds in enumerate(mixes)]
    files = {
        f"{number}.csv": (ending.join(lines) + ending * last_line_ends).encode() for number, lines in enumerate(texts)
    }
    result = read(files)
    counted = {
        (name, row)
        for name, lines in zip(files, texts, strict=True)
        for row, line in enumerate(lines, start=1)
        if row > 1 and line
    }
    accepted, aside, twice = where(result.tables["loan"]), where(result.quarantine), where(result.duplicates)
    assert sorted([*accepted, *aside, *twice]) == sorted(counted)
    for account in result.file_counts:
        own = [row for name, row in counted if name == account.file]
        assert account.rows_in == len(own) == account.accepted + account.set_aside
    said = {(f"{n}.csv", row): kind for n, kinds in enumerate(mixes) for row, kind in enumerate(kinds, start=2)}
    assert {said[place] for place in accepted} <= {GOOD, REPEATED}
    assert {said[place] for place in twice} <= {REPEATED}
    assert len(twice) == sum(kind == REPEATED for kind in said.values()) - 1
    assert GOOD not in {said[place] for place in aside}
    originals = dict(zip(aside, result.quarantine["original"].to_pylist(), strict=True))
    assert all(line == texts[int(name[0])][row - 1].encode() for (name, row), line in originals.items())
