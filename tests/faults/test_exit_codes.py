"""``passport ingest`` reports corrupted deliveries in one line, and its exit code tells whose fault it is."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from pipelines.runs.publish import read_json
from pipelines.runs.stages import Place, current_output
from tests.factories.faults.disk_faults import in_a_child, typed
from tests.factories.raw_files import RawFile, ingest_settings, vat_file, vat_row, write_raw_folder
from tests.faults.conftest import PROFILE, profile_of

GOOD = vat_file("sale", [vat_row(str(number)) for number in range(1, 21)])
SPOILT = {
    "as it should be": (GOOD, 0, ""),
    "one bad row in twenty": (GOOD.replace(b"100.0", b"many", 1), 0, "type:net"),
    "half of the rows bad": (GOOD.replace(b"100.0", b"many", 10), 1, "of the rows were quarantined"),
    "cut off in a row": (GOOD[: len(GOOD) * 3 // 4], 0, "line:width"),
    "NUL in a row": (GOOD.replace(b"2023", b"20\x0023", 1), 0, "line:nul"),
    "empty": (b"", 2, "the file is empty"),
    "binary": (bytes(range(256)) * 20, 2, "remedy"),
    "another encoding": (GOOD.decode("utf-8-sig").encode("gb18030"), 2, "is not valid utf-8"),
    "no header": (GOOD.partition(b"\n")[2], 2, "missing columns"),
    "a page": (b"<html><table><tr><td>1</td></tr></table></html>", 2, "missing columns"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_corrupted_delivery_ends_with_the_right_exit_code(tmp_path: Path, spoilt: str) -> None:
    data, code, told = SPOILT[spoilt]
    name = "v/1.csv"
    raw = write_raw_folder(tmp_path / "raw", [RawFile(name, "vat_invoices", data, "S000001")])
    profile = profile_of(raw)
    profile.ingest = ingest_settings(raw_dir=raw, quarantine_limit_share=0.1)

    def work() -> str:
        keys = mock.patch.dict("os.environ", {"KEYS_DIR": str(tmp_path / "keys")})
        with keys, mock.patch("pipelines.profiles.load_profile", return_value=profile):
            return typed("ingest", "--out", tmp_path / "out")

    ended = in_a_child(work)
    assert ended.code == 0, ended.said
    first, _, said = ended.said.partition("\n")
    assert int(first) == code
    assert said.count("\n") == 1
    if code == 0 and told:
        assert "1 set aside (1 reason)" in said
        total, *_ = read_json(current_output(Place(PROFILE, tmp_path / "out"), "ingest", "row_counts.json"))["sources"]
        assert total["quarantined"] == {told: 1}
    else:
        assert told in said
    assert (name in said and "remedy: " in said) or code != 2
