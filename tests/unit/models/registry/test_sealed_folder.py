"""A sealed folder holds exactly what was signed, also if someone changes it while it is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from data_contracts.errors import IntegrityRefused
from models.registry import sealed_folder
from models.registry.sealed_folder import ListedFile, key_id, seal, unseal
from tests.factories.models import signing_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = signing_key()
TRUSTED = [signing_key(9).public_key(), KEY.public_key()]


def test_a_sealed_folder_returns_its_files_what_was_said_of_them_and_who_signed(tmp_path: Path) -> None:
    files = {"empty.txt": b"", "deep/er/note.txt": b"hello"}
    digest = seal(tmp_path / "sealed", files, {"about": "it", "number": 3}, KEY)
    found = unseal(tmp_path / "sealed", TRUSTED)
    assert (found.files, found.about, found.digest) == (files, {"about": "it", "number": 3}, digest)
    assert found.key_id == key_id(KEY.public_key()) == (tmp_path / "sealed" / "manifest.sig").read_text()[:16]
    (tmp_path / "sealed" / "empty.txt").write_bytes(b"x")
    with pytest.raises(IntegrityRefused, match=r"empty\.txt is larger than allowed"):
        unseal(tmp_path / "sealed", TRUSTED)


@pytest.mark.parametrize("count", [62, 63])
def test_a_sealed_folder_holds_at_most_64_files(tmp_path: Path, count: int) -> None:
    seal(tmp_path / "sealed", {f"{number}.txt": b"" for number in range(count)}, {}, KEY)
    if count == 62:
        assert len(unseal(tmp_path / "sealed", TRUSTED).files) == 62
    else:
        with pytest.raises(IntegrityRefused, match="it holds more than 64 files and folders"):
            unseal(tmp_path / "sealed", TRUSTED)


def test_a_listed_file_has_a_digest_and_at_most_256_megabytes() -> None:
    digest = "ab" * 32
    for size in (0, 2**28):
        assert ListedFile(sha256=digest, size=size).size == size
    for wrong in ({"size": 2**28 + 1}, {"size": -1}, {"size": "5"}, {"sha256": digest.upper()}, {"more": 1}):
        with pytest.raises(ValidationError):
            ListedFile.model_validate({"sha256": digest, "size": 5, **wrong})


def linked(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def piped(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (linked, r"file note\.txt cannot be read \(Too many levels of symbolic links\)"),
        (piped, r"note\.txt is not a plain file"),
        (os.remove, r"file note\.txt cannot be read \(No such file or directory\)"),
    ],
)
def test_a_file_that_was_exchanged_since_the_folder_was_listed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], why: str
) -> None:
    seal(tmp_path, {"note.txt": b"hello"}, {}, KEY)
    change(tmp_path / "note.txt")
    listed = {"note.txt", "manifest.json", "manifest.sig"}
    monkeypatch.setattr(sealed_folder, "_paths_below", lambda _: listed)
    with pytest.raises(IntegrityRefused, match=why):
        unseal(tmp_path, TRUSTED)


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        (b"no JSON", r"manifest\.json is malformed"),
        (b"[1]", r"manifest\.json is malformed"),
        (b'{"about":{},"files":{},"format":"another/1"}', r"manifest\.json is not canonical JSON of format"),
    ],
)
def test_a_signed_manifest_of_another_form_is_refused(tmp_path: Path, manifest: bytes, why: str) -> None:
    seal(tmp_path, {}, {}, KEY)
    signature = KEY.sign(b"credit-model-bundle/1 manifest.json\n" + manifest).hex()
    (tmp_path / "manifest.json").write_bytes(manifest)
    (tmp_path / "manifest.sig").write_text(f"{key_id(KEY.public_key())} {signature}\n")
    with pytest.raises(IntegrityRefused, match=why):
        unseal(tmp_path, TRUSTED)


def test_a_manifest_may_have_a_megabyte(tmp_path: Path) -> None:
    around = len(b'{"about":{"text":""},"files":{},"format":"credit-model-bundle/1"}')
    for size in (2**20, 2**20 + 1):
        about = {"text": "x" * (size - around)}
        seal(tmp_path / str(size), {}, about, KEY)
        assert (tmp_path / str(size) / "manifest.json").stat().st_size == size
    assert len(unseal(tmp_path / str(2**20), TRUSTED).about["text"]) == 2**20 - around
    with pytest.raises(IntegrityRefused, match=r"manifest\.json is larger than allowed"):
        unseal(tmp_path / str(2**20 + 1), TRUSTED)
