from __future__ import annotations

import hashlib
from pathlib import Path

from data_contracts.digest import sha256_bytes, sha256_file


def test_a_file_and_its_bytes_have_the_same_digest(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(data)
    assert sha256_file(tmp_path / "file") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()
