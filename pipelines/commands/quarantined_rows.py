"""Command ``passport quarantine``: the quarantined rows of a file as they were delivered.

The published quarantine holds the original bytes of rows. If the source has personal columns they are sealed, so only
whoever holds the HMAC key of the run can read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from cryptography.exceptions import InvalidTag

from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused, IntegrityRefused, one_line
from data_contracts.privacy import open_sealed_original
from pipelines.runs.file_counts import counts_of_document
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.stages import current_output
from pipelines.signing.keys import load_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipelines.runs.stages import Place

NOT_KEPT = "(contents not kept)"


def quarantined_rows(place: Place, file: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield one line for each row of a file that ``ingest`` quarantined: row, rule and original text.

    Args:
        place: where the outputs of the profile are.
        file: path of the file below the raw folder.
        environment: environment variables, which say where the keys are.

    Raises:
        InputRefused: the run read no such file.
        ConfigurationRefused: nothing has been ingested, or the HMAC key is missing.
        IntegrityRefused: the rows were sealed with another key.
    """
    counts = current_output(place, "ingest", "row_counts.json")
    found = next((one for one in counts_of_document(read_json(counts)) if one.file == file), None)
    if found is None:
        raise InputRefused(
            file=str(counts), rule=f"no file {file!r} was ingested", remedy="write its path as in deliveries.csv"
        )
    source = found.source.partition("@")[0]
    path = current_output(place, "ingest", f"quarantine/{source}.parquet")
    if not found.quarantined or not path.is_file():
        return
    contract = source_contract(source)
    opened = _opener(place.profile_name, environment) if contract.has_personal_columns else bytes
    encoding = contract.read_spec.encoding if contract.read_spec else "utf-8"
    records = read_parquet(path, ["source_file", "source_row", "rule_id", "original"])
    for record in records.filter(pc.equal(records["source_file"].cast(pa.string()), pa.scalar(file))).to_pylist():
        original = record["original"]
        text = NOT_KEPT if original is None else opened(original).decode(encoding, "backslashreplace")
        yield one_line(f"row {record['source_row']}: {record['rule_id']}: {text.rstrip()}")


def _opener(profile_name: str, environment: Mapping[str, str]) -> Callable[[bytes], bytes]:
    # Reading must never create a key, so a demonstration gets no special treatment.
    key = load_keys(profile_name, is_demonstration=False, environment=environment).hmac_key

    def opened(sealed: bytes) -> bytes:
        try:
            return open_sealed_original(sealed, key)
        except InvalidTag as error:
            raise IntegrityRefused(
                "the quarantined rows were sealed with another HMAC key; remedy: use the keys of the run"
            ) from error

    return opened
