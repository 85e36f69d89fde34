"""Score files: interrupted runs continue, damaged chunks are scored again, and three formats agree."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from data_contracts.errors import IntegrityRefused
from pipelines.runs.publish import read_parquet
from pipelines.runs.score_formats import ScoreFormat
from pipelines.score.chunk_files import (
    ALL_FORMATS,
    CSV_FILE,
    JSON_LINES_FILE,
    SCORES_FILE,
    ChunkFolder,
    join_chunks,
    score_in_chunks,
)
from pipelines.score.scorer import chunked, score_chunk
from tests.factories.scoring import applicants, context, with_values

ROWS = 25
PARQUET, CSV, JSON_LINES = ScoreFormat


def rows() -> pa.Table:
    chunk = applicants(ROWS)
    return with_values(chunk, "refusals", ["unknown_seller" if row == 7 else "" for row in range(ROWS)])


def score(chunk: pa.Table) -> pa.Table:
    return score_chunk(context(), chunk)


class Counting:
    """A scorer that counts its calls and raises an error before call number ``fails_at``."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.calls, self.fails_at = 0, fails_at

    def __call__(self, chunk: pa.Table) -> pa.Table:
        if self.calls == self.fails_at:
            raise KeyboardInterrupt
        self.calls += 1
        return score(chunk)


def chunks() -> Iterator[pa.Table]:
    return chunked(rows(), 5)


def kept_in(folder: Path, key: bytes = b"key of the issuer") -> ChunkFolder:
    return ChunkFolder(folder / "chunks", key)


def joined(files: tuple[Path, ...], folder: Path) -> pa.Table:
    join_chunks(ChunkFolder(files[0].parent, kept_in(folder).key), files, {}, folder)
    return read_parquet(folder / SCORES_FILE)


def test_chunks_join_to_the_result_of_a_single_pass(tmp_path: Path) -> None:
    files = score_in_chunks(chunks(), score, kept_in(tmp_path))
    assert joined(files, tmp_path / "out").to_pylist() == score(rows()).to_pylist()


@pytest.mark.parametrize("fails_at", [0, 1, 4])
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, fails_at: int) -> None:
    folder = kept_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        score_in_chunks(chunks(), Counting(fails_at), folder)
    rest = Counting()
    files = score_in_chunks(chunks(), rest, folder)
    assert rest.calls == 5 - fails_at
    assert joined(files, tmp_path / "out").to_pylist() == score(rows()).to_pylist()


@pytest.mark.parametrize("damage", ["cut", "flip", "rename"])
def test_a_damaged_chunk_is_scored_again(tmp_path: Path, damage: str) -> None:
    folder = kept_in(tmp_path)
    file = score_in_chunks(chunks(), score, folder)[2]
    data = file.read_bytes()
    if damage == "cut":
        file.write_bytes(data[:-10])
    elif damage == "flip":
        file.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    else:
        file.rename(file.with_name(file.name.replace("chunk-000002", "chunk-000003")))
    again = Counting()
    files = score_in_chunks(chunks(), again, folder)
    assert again.calls == 1
    assert joined(files, tmp_path / "out").to_pylist() == score(rows()).to_pylist()


def test_a_chunk_that_another_key_made_is_scored_again(tmp_path: Path) -> None:
    """Whoever may write here could leave better scores, which the issuer would sign."""
    folder = kept_in(tmp_path)
    planted = score_in_chunks(chunks(), lambda chunk: score(chunk)[::-1], kept_in(tmp_path, b"another key"))
    scorer = Counting()
    files = score_in_chunks(chunks(), scorer, folder)
    assert scorer.calls == 5
    assert {file.name for file in planted}.isdisjoint(file.name for file in files)
    assert joined(files, tmp_path / "out").to_pylist() == score(rows()).to_pylist()


def test_a_chunk_that_changes_after_it_was_scored_stops_the_run(tmp_path: Path) -> None:
    files = score_in_chunks(chunks(), score, kept_in(tmp_path))
    files[1].write_bytes(files[2].read_bytes())
    with pytest.raises(IntegrityRefused, match="changed during the run"):
        joined(files, tmp_path / "out")


def test_only_the_owner_may_open_the_folder_of_chunks(tmp_path: Path) -> None:
    (tmp_path / "chunks").mkdir(mode=0o777)
    score_in_chunks(chunks(), score, kept_in(tmp_path))
    assert (tmp_path / "chunks").stat().st_mode & 0o777 == 0o700


def test_scoring_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        join_chunks(
            kept_in(tmp_path / name), score_in_chunks(chunks(), score, kept_in(tmp_path / name)), {}, tmp_path / name
        )
    for file in (SCORES_FILE, JSON_LINES_FILE, CSV_FILE):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_counts_show_what_happened_to_every_row(tmp_path: Path) -> None:
    counts = join_chunks(kept_in(tmp_path), score_in_chunks(chunks(), score, kept_in(tmp_path)), {}, tmp_path)
    assert counts.rows == ROWS == sum(counts.by_status.values())
    assert counts.by_status["refused"] == 1
    assert counts.scored == ROWS - 1
    assert counts.by_code["unknown_seller"] == 1


def test_json_lines_agree_with_parquet(tmp_path: Path) -> None:
    files = score_in_chunks(chunks(), score, kept_in(tmp_path))
    table = joined(files, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / JSON_LINES_FILE).read_text(encoding="utf-8").splitlines()]
    assert len(lines) == ROWS
    for line, row in zip(lines, table.to_pylist(), strict=True):
        assert line["score"] == row["score"]
        assert line["as_of"] == row["as_of"].isoformat()
        assert line["probability_of_default"] == row["probability_of_default"]
        assert line["reasons"] == (None if row["reasons"] is None else json.loads(row["reasons"]))


def test_the_csv_has_a_line_a_row_with_reasons_in_short(tmp_path: Path) -> None:
    titles = {"refund_share_90d": "Refunds"}
    join_chunks(kept_in(tmp_path), score_in_chunks(chunks(), score, kept_in(tmp_path)), titles, tmp_path)
    with (tmp_path / CSV_FILE).open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == ROWS
    assert lines[7]["status"] == "refused"
    assert lines[7]["speaks_for"] == ""
    told = " ".join(line["speaks_for"] + line["speaks_against"] for line in lines)
    assert "Refunds (" in told


@pytest.mark.parametrize("name", ["=cmd|'/C calc'!A0", "+1+1", "\t=1", "a\n=1", "a;=1", 'quote " and, comma'])
def test_a_hostile_applicant_id_stays_text_in_every_format(tmp_path: Path, name: str) -> None:
    chunk = with_values(applicants(2), "applicant_id", [name, "A2"])
    files = score_in_chunks(chunked(chunk, 5), score, kept_in(tmp_path))
    assert joined(files, tmp_path)["applicant_id"].to_pylist() == [name, "A2"]
    with (tmp_path / CSV_FILE).open(encoding="utf-8", newline="") as file:
        (first, second) = csv.DictReader(file)
    assert first["applicant_id"].replace("'", "") == name.replace("'", "")
    assert not first["applicant_id"].startswith(("=", "+", "\t"))
    assert second["applicant_id"] == "A2"
    line = (tmp_path / JSON_LINES_FILE).read_text(encoding="utf-8").splitlines()[0]
    assert json.loads(line)["applicant_id"] == name


def test_only_the_wanted_formats_are_written(tmp_path: Path) -> None:
    files = score_in_chunks(chunks(), score, kept_in(tmp_path))
    for number, formats in enumerate([(PARQUET,), (PARQUET, CSV), (JSON_LINES,), ALL_FORMATS]):
        join_chunks(kept_in(tmp_path), files, {}, tmp_path / str(number), formats)
    found = [sorted(path.name for path in (tmp_path / str(number)).iterdir()) for number in range(4)]
    assert found == [
        [SCORES_FILE],
        [SCORES_FILE, CSV_FILE],
        [SCORES_FILE, JSON_LINES_FILE],
        [SCORES_FILE, CSV_FILE, JSON_LINES_FILE],
    ]
