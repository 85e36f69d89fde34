"""Scores on disk: written chunk by chunk, so that an interrupted run can resume, then joined.

The name of a chunk file holds a digest of its bytes that only the holder of the issuer's key can make. A rerun keeps
every chunk file with the right digest and scores the rest, so nobody else can slip scores into the run of an issuer.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from data_contracts.progress import SILENT
from pipelines.runs.publish import atomic_write_bytes
from pipelines.runs.score_formats import ScoreFormat
from pipelines.score.score_texts import CSV_HEADER_LINE, csv_lines, json_lines
from pipelines.score_rows import REFUSED, SCORE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from data_contracts.arrow import Values
    from data_contracts.progress import Progress

log = logging.getLogger(__name__)

SCORES_FILE: Final = "passports.parquet"
JSON_LINES_FILE: Final = "scores.jsonl"
CSV_FILE: Final = "scores.csv"
ALL_FORMATS: Final = tuple(ScoreFormat)


@dataclass(frozen=True)
class ScoreCounts:
    """Number of rows, rows by status, and how often each code occurs (without the feature it names)."""

    rows: int
    by_status: Mapping[str, int]
    by_code: Mapping[str, int]

    @property
    def scored(self) -> int:
        """Rows that have a score, with or without a warning."""
        return self.rows - self.by_status.get(REFUSED, 0)


@dataclass(frozen=True)
class ChunkFolder:
    """The chunk files of one run: a folder that only its owner may open, and the key of their digests.

    The folder must belong to exactly these chunks and this way of scoring: its name should hold a digest of both, and
    the key should be made for that name.
    """

    path: Path
    key: bytes = field(repr=False)

    def prepare(self) -> None:
        """Create the folder, and close it to others.

        Raises:
            ConfigurationRefused: the folder belongs to someone else.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self.path.chmod(0o700)
        except PermissionError as error:
            raise ConfigurationRefused(f"{self.path} belongs to someone else", "use another --out") from error

    def clear(self) -> None:
        """Delete all chunk files."""
        for path in self.path.glob("chunk-*.parquet"):
            path.unlink()

    def whole_file(self, number: int, rows: int) -> Path | None:
        """Return the chunk file of an earlier run if it is complete and genuine; delete it if it is not."""
        for path in sorted(self.path.glob(f"chunk-{number:06d}.*.parquet")):
            data = path.read_bytes()
            if self._is_genuine(path, data) and pq.read_metadata(pa.BufferReader(data)).num_rows == rows:
                return path
            log.warning("%s is incomplete, damaged or of another origin, and is scored again", path.name)
            path.unlink()
        return None

    def write(self, number: int, scored: pa.Table) -> Path:
        """Write the scores of a chunk."""
        sink = pa.BufferOutputStream()
        pq.write_table(scored, sink, compression="zstd", write_page_checksum=True)
        data = sink.getvalue().to_pybytes()
        path = self.path / f"chunk-{number:06d}.{self._digest(f'{number:06d}', data)}.parquet"
        atomic_write_bytes(path, data)
        return path

    def read(self, path: Path) -> pa.Table:
        """Read a chunk file.

        Raises:
            IntegrityRefused: the file is not what this run wrote.
        """
        data = path.read_bytes()
        if not self._is_genuine(path, data):
            raise IntegrityRefused(f"{path.name} changed during the run", "look who writes here, and score again")
        return pq.read_table(pa.BufferReader(data)).unify_dictionaries()

    def _is_genuine(self, path: Path, data: bytes) -> bool:
        _, number, digest, _ = path.name.replace("-", ".", 1).split(".")
        return hmac.compare_digest(self._digest(number, data), digest)

    def _digest(self, number: str, data: bytes) -> str:
        """Return the keyed digest of a chunk file and its number, so that one cannot be taken for another."""
        return hmac.new(self.key, f"{number}\n".encode() + data, hashlib.sha256).hexdigest()


def score_in_chunks(
    chunks: Iterable[pa.Table],
    score: Callable[[pa.Table], pa.Table],
    folder: ChunkFolder,
    progress: Progress = SILENT,
) -> tuple[Path, ...]:
    """Score chunk after chunk into chunk files; complete files from an earlier run are kept."""
    folder.prepare()
    files = []
    for number, chunk in enumerate(chunks):
        files.append(folder.whole_file(number, chunk.num_rows) or folder.write(number, score(chunk)))
        progress.advance(chunk.num_rows)
    return tuple(files)


def join_chunks(
    chunks: ChunkFolder,
    files: Sequence[Path],
    titles: Mapping[str, str],
    folder: Path,
    formats: Collection[ScoreFormat] = ALL_FORMATS,
) -> ScoreCounts:
    """Join chunk files into ``passports.parquet``, and into ``scores.jsonl`` and ``scores.csv`` if they are wanted.

    ``titles`` maps a feature to its title, for the reasons in the CSV.

    Raises:
        IntegrityRefused: a chunk file is not what this run wrote.
    """
    statuses: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        write = stack.enter_context(_parquet_writer(folder / SCORES_FILE))
        lines = stack.enter_context(_text_file(folder / JSON_LINES_FILE)) if ScoreFormat.JSON_LINES in formats else None
        cells = stack.enter_context(_text_file(folder / CSV_FILE)) if ScoreFormat.CSV in formats else None
        if cells is not None:
            cells.write(CSV_HEADER_LINE)
        for file in files:
            table = chunks.read(file)
            write(table)
            statuses.update(_counts(table["status"]))
            for joined, count in _counts(table["codes"]).items():
                for code in filter(None, joined.split(";")):
                    codes[code.partition(":")[0]] += count
            if lines is not None:
                lines.write(json_lines(table))
            if cells is not None:
                cells.write(csv_lines(table, titles))
    return ScoreCounts(sum(statuses.values()), dict(sorted(statuses.items())), dict(sorted(codes.items())))


def _counts(column: Values) -> dict[str, int]:
    """Return how often each text occurs."""
    found = pc.value_counts(column.cast(pa.string()))
    return dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True))


@contextmanager
def _parquet_writer(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """Open a writer of tables to one file, which appears under its name once it is complete."""
    draft = path.with_name(f".{path.name}.partial")
    with (
        draft.open("wb") as file,
        pq.ParquetWriter(file, SCORE_SCHEMA, compression="zstd", write_page_checksum=True) as writer,
    ):
        yield writer.write_table
    _publish(draft, path)


@contextmanager
def _text_file(path: Path) -> Iterator[TextIO]:
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        yield file
    Path(draft).chmod(0o644)
    _publish(Path(draft), path)


def _publish(draft: Path, path: Path) -> None:
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
