"""Turn files without a delivery manifest into deliveries: recognised by content, with terms given once."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from data_contracts.errors import ConfigurationRefused, InputRefused, one_line
from data_contracts.sources.registry import known_source, mapped_sources
from pipelines.ingest.deliveries.archives import GZIP_SUFFIX, Entry, entries_of
from pipelines.ingest.deliveries.manifest import MANIFEST_FILE, DeliveredFile, Deliveries, Origin, find_deliveries
from pipelines.ingest.deliveries.recognition import described, files_below, recognise
from pipelines.profiles.ingest_settings import limits_of
from pipelines.runs.sandbox import Call, ChildEnded, run_in_sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from data_contracts.mapping.days.day_order import DayOrder
    from pipelines.ingest.deliveries.recognition import Recognition
    from pipelines.profiles.ingest_settings import IngestSettings

Result = TypeVar("Result")

REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Terms:
    """What the caller states about files that no manifest lists; None if not stated.

    Attributes:
        seller: seller that the files belong to.
        account: store or site that they were exported from.
        period_from, period_to: first and last day that they cover.
        delivered_at: time of delivery, UTC.
        date_order: order of day and month in their days, if they do not tell it.
    """

    seller: str | None = None
    account: str | None = None
    period_from: date | None = None
    period_to: date | None = None
    delivered_at: datetime | None = None
    date_order: DayOrder | None = None

    def __post_init__(self) -> None:
        """Refuse malformed references and a period that ends before it begins."""
        for option, reference in (("--seller", self.seller), ("--account", self.account)):
            if reference is not None and not REFERENCE.fullmatch(reference):
                raise ConfigurationRefused(
                    f"{option} {reference!r} is not a valid reference",
                    "use up to 64 letters, digits, dots, underscores and dashes",
                )
        if self.period_from and self.period_to and self.period_to < self.period_from:
            raise ConfigurationRefused(f"--to {self.period_to} is before --from {self.period_from}", "swap them")

    def stated(self) -> dict[str, str]:
        """Return what is stated, as text."""
        return {name: str(value) for name, value in asdict(self).items() if value is not None}


NOTHING_STATED: Final = Terms()


def common_folder(paths: Sequence[Path]) -> Path:
    """Return the folder that contains all paths, or raise InputRefused if a path does not exist."""
    for path in paths:
        if not path.exists():
            raise InputRefused(file=str(path), rule="no such file or folder", remedy="correct the path")
    return Path(os.path.commonpath([path.absolute() if path.is_dir() else path.absolute().parent for path in paths]))


def could_be_recorded(file: DeliveredFile) -> datetime:
    """Return the first moment at which a file could be recorded: delivered, and its period over."""
    over = datetime.combine(file.covered_to + timedelta(days=1), time.min, UTC)
    return max(file.delivered_at, over)


def find_by_content(paths: Sequence[Path], base: Path, terms: Terms, settings: IngestSettings) -> Deliveries:
    """Return the files at and below the paths, named relative to ``base``.

    A folder with a delivery manifest is read by its manifest, all other files by their content and the terms.

    Raises:
        InputRefused: a file matches no contract, or several equally well; names how it differs from the nearest.
        ConfigurationRefused: the seller, period or delivery time of a file is unknown.
    """
    files: dict[str, DeliveredFile] = {}
    unlisted: set[str] = set()
    for path in dict.fromkeys(path.absolute() for path in paths):
        is_listed = path.is_dir() and (path / MANIFEST_FILE).is_file()
        order = terms.date_order or settings.date_order
        stated = replace(terms, date_order=order)
        found = _listed(path, base, order, settings) if is_listed else _recognised(path, base, stated, settings)
        files.update({file.name: file for file in found.files})
        unlisted.update(found.unlisted)
    in_order = sorted(files.values(), key=lambda file: (file.source, file.group, file.name))
    return Deliveries(tuple(in_order), tuple(sorted(unlisted - files.keys())))


def _listed(folder: Path, base: Path, order: DayOrder | None, settings: IngestSettings) -> Deliveries:
    wanted = settings.model_copy(update={"layout": "deliveries", "sources": (), "date_order": order})
    found = _in_a_child(folder, Call(find_deliveries, (folder, wanted), limits_of(settings)))
    prefix = "" if folder == base else f"{folder.relative_to(base).as_posix()}/"
    files = [
        replace(
            file,
            name=f"{prefix}{file.name}",
            container=None if file.container is None else f"{prefix}{file.container}",
            evidence=replace(file.evidence, file=f"{prefix}{file.evidence.file}"),
        )
        for file in found.files
    ]
    return Deliveries(tuple(files), tuple(f"{prefix}{name}" for name in found.unlisted))


class _Seen(NamedTuple):
    """A recognised file; ``archive`` contains it, if any does; ``path`` leads through the archive."""

    recognition: Recognition
    path: Path
    archive: Path | None
    entry: Entry


def _recognised(path: Path, base: Path, terms: Terms, settings: IngestSettings) -> Deliveries:
    seen: list[_Seen] = []
    for file in files_below(path):
        limits = limits_of(settings, file.stat().st_size)
        seen += _in_a_child(file, Call(_look_into, (file,), limits))
    meant = [one for one in seen if not one.entry.is_hidden]
    _require_all_met([one.recognition for one in meant])
    hidden = [one.path.relative_to(base).as_posix() for one in seen if one.entry.is_hidden]
    return Deliveries(tuple(_delivered(one, base, terms) for one in meant), tuple(hidden))


def _look_into(path: Path) -> list[_Seen]:
    """Recognise a file, or the files in an archive; runs in a sandbox."""
    recognitions = list(recognise([path]))
    if path.name.casefold().endswith(GZIP_SUFFIX):
        (entry,) = entries_of(path, path.name)
        return [_Seen(found, path / entry.name, path, entry) for found in recognitions]
    if [found.file for found in recognitions] == [str(path)]:
        return [_Seen(found, path, None, Entry(path.name, path.stat().st_size)) for found in recognitions]
    entries = {f"{path}/{entry.name}": entry for entry in entries_of(path, path.name)}
    return [_Seen(found, Path(found.file), path, entries[found.file]) for found in recognitions]


def _in_a_child(path: Path, call: Call[Result]) -> Result:
    try:
        return run_in_sandbox(call)
    except ChildEnded as ended:
        raise InputRefused(
            file=str(path), rule=ended.reason, remedy="check the file for abnormal size or form, or remove it"
        ) from ended


def _require_all_met(recognitions: Sequence[Recognition]) -> None:
    unmet = [found for found in recognitions if not found.met]
    if not unmet:
        return
    first, *others = unmet
    _, *reasons = "; ".join(line.strip() for line in described(first)).split(": ", 1)
    more = f" ({len(others)} more files match none either)" if others else ""
    raise InputRefused(
        file=first.file,
        rule=f"{reasons[0] if reasons else 'matches no contract'}{more}",
        remedy="deliver it as exported, list it in deliveries.csv, or remove it; passport recognise explains each file",
    )


def _delivered(seen: _Seen, base: Path, terms: Terms) -> DeliveredFile:
    name = seen.path.relative_to(base).as_posix()
    source = source_of(seen.recognition)
    mapping = known_source(source).mapping
    needs_seller = mapping.needs_seller
    missing = [
        option
        for option, value, needed in (
            ("--seller", terms.seller, needs_seller),
            ("--from", terms.period_from, True),
            ("--to", terms.period_to, True),
            ("--delivered-at", terms.delivered_at, True),
        )
        if needed and value is None
    ]
    if missing or terms.period_from is None or terms.period_to is None or terms.delivered_at is None:
        raise ConfigurationRefused(
            f"{name} ({source}) is in no delivery manifest, and no option states {', '.join(map(_what, missing))}",
            f"add {' '.join(missing)}, or list it in {MANIFEST_FILE}",
        )
    # As in a manifest: rows of the file that name another seller are set aside.
    named = mapping.named_sellers
    seller = terms.seller if needs_seller or (named is not None and named.is_only_seller) else None
    return DeliveredFile(
        name=name,
        source=source,
        container=None if seen.archive is None else seen.archive.relative_to(base).as_posix(),
        size_bytes=seen.entry.size_bytes,
        group=seller or "",
        seller=seller,
        account=terms.account,
        covered_from=terms.period_from,
        covered_to=terms.period_to,
        delivered_at=terms.delivered_at,
        listed_sha256=None,
        evidence=Origin(known_source(source).contract.identity, name, None, 1),
        date_order=terms.date_order,
    )


def _what(option: str) -> str:
    said = {
        "--seller": "its seller",
        "--from": "its first day",
        "--to": "its last day",
        "--delivered-at": "its time of delivery",
    }
    return said[option]


def source_of(found: Recognition) -> str:
    """Return the source whose contract the file matches best."""
    met = [fit for fit in found.met if fit.contract.contract_id in mapped_sources()]
    best = [fit for fit in met if fit.similarity == max(one.similarity for one in met)]
    if len(best) != 1:
        names = ", ".join(fit.contract.contract_id for fit in (best or found.met))
        raise InputRefused(
            file=one_line(found.file),
            rule=f"it matches {names} equally well"
            if best
            else f"it matches {names}, which is a reference list and not a delivery",
            remedy=f"state the source in {MANIFEST_FILE}" if best else "remove it, and name it in the profile instead",
        )
    return best[0].contract.contract_id
