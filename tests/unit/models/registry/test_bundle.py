"""What was signed loads and returns the same numbers; everything else is refused before it is parsed."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.components.encoding import encoded_columns
from models.registry.bundle import bundle_contents, golden_inputs, load_bundle, write_bundle
from models.registry.sealed_folder import key_id, seal, unseal
from tests.factories.models import (
    bundle_meta,
    signing_key,
    small_credit_model,
    small_linear_model,
    small_world,
    write_small_bundle,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.components.model import CreditModel

KEY = signing_key()
TRUSTED = [signing_key(9).public_key(), KEY.public_key()]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed") / "bundle"
    write_small_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def signed_linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed") / "linear"
    write_small_bundle(folder, model=small_linear_model())
    return folder


@pytest.fixture
def copy_of_linear(signed_linear: Path, tmp_path: Path) -> Path:
    return shutil.copytree(signed_linear, tmp_path / "linear")


@pytest.fixture
def copy(signed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(signed, tmp_path / "bundle")


def resigned(folder: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Return the bundle with changed content, signed again by a trusted issuer."""
    content = unseal(folder, TRUSTED)
    files = dict(content.files)
    change(files)
    target = folder.parent / "resigned"
    seal(target, files, content.about, KEY)
    return target


def refused(folder: Path, why: str) -> None:
    with pytest.raises(IntegrityRefused, match=why) as caught:
        load_bundle(folder, TRUSTED)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_loaded_bundle_returns_the_numbers_of_the_model_bit_for_bit(signed: Path) -> None:
    bundle = load_bundle(signed, TRUSTED)
    model, X = small_credit_model(), small_world().dataset.X
    assert np.array_equal(bundle.model.log_odds(X), model.log_odds(X))
    ours, theirs = (m.issue_points(m.contributions(X)) for m in (model, bundle.model))
    assert np.array_equal(ours.points, theirs.points)
    assert np.array_equal(ours.score, theirs.score)
    assert bundle.meta.is_synthetic
    assert bundle.model.components[0].threads == 1
    assert len(bundle.golden.inputs) == 32
    assert bundle.reference.rows == len(X)


def test_a_loaded_linear_model_returns_the_same_numbers_bit_for_bit(signed_linear: Path) -> None:
    bundle = load_bundle(signed_linear, TRUSTED)
    model, X = small_linear_model(), small_world().dataset.X
    assert bundle.model == model
    assert np.array_equal(bundle.model.log_odds(X), model.log_odds(X))
    assert np.array_equal(bundle.model.contributions(X).values, model.contributions(X).values)


def test_the_same_model_and_key_make_the_same_bytes(signed: Path, tmp_path: Path) -> None:
    digest = write_small_bundle(tmp_path / "again")
    assert digest == load_bundle(signed, TRUSTED).digest
    for file in (path for path in signed.rglob("*") if path.is_file()):
        data = file.read_bytes()
        assert (tmp_path / "again" / file.relative_to(signed)).read_bytes() == data
        if file.suffix == ".json" and file.name != "manifest.json":
            plain = json.dumps(json.loads(data), sort_keys=True, ensure_ascii=False, indent=1)
            assert data.decode() == f"{plain}\n"


def test_the_golden_rows_reach_from_the_lowest_to_the_highest_risk_of_the_sample() -> None:
    model, X = small_credit_model(), small_world().dataset.X
    scorable = X[~model.missing_required(X)]
    risk, places = np.unique(model.log_odds(scorable), return_index=True)
    X = scorable[places]
    chosen = model.log_odds(golden_inputs(model, X))
    assert len(chosen) == 32
    assert (np.diff(chosen[:29]) >= 0).all()
    assert (chosen[0], chosen[28]) == (risk[0], risk[-1])


def test_every_flipped_byte_is_refused(signed: Path, copy: Path) -> None:
    files = sorted(path for path in signed.rglob("*") if path.is_file())
    generator = np.random.default_rng(0)
    tried = 0
    for file in files:
        target = copy / file.relative_to(signed)
        data = file.read_bytes()
        positions = {0, len(data) - 1, *generator.integers(0, len(data), 30).tolist()}
        for position in positions:
            changed = bytearray(data)
            changed[position] ^= 1 << int(generator.integers(8))
            target.write_bytes(bytes(changed))
            refused(copy, "bundle bundle refused")
            tried += 1
        target.write_bytes(data)
    assert tried >= 200
    load_bundle(copy, TRUSTED)


def test_every_bit_of_the_signature_counts(signed: Path, copy: Path) -> None:
    line = (signed / "manifest.sig").read_bytes()
    for position in range(len(line)):
        for bit in range(8):
            changed = bytearray(line)
            changed[position] ^= 1 << bit
            (copy / "manifest.sig").write_bytes(bytes(changed))
            refused(copy, "bundle bundle refused")


def test_nothing_is_parsed_of_a_bundle_that_is_not_verified(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("LightGBM saw an unverified text")

    monkeypatch.setattr(lightgbm, "Booster", never)
    trees = copy / "components" / "0.txt"
    trees.write_bytes(trees.read_bytes() + b" ")
    refused(copy, "differs from the one that was signed|larger than allowed")


def add_file(folder: Path) -> None:
    (folder / "MLmodel").write_text("loader_module: evil")


def add_folder(folder: Path) -> None:
    (folder / "extra").mkdir()


def remove_file(folder: Path) -> None:
    (folder / "reasons.json").unlink()


def rename_file(folder: Path) -> None:
    (folder / "reasons.json").rename(folder / "reason.json")


def link_file(folder: Path) -> None:
    (folder / "reasons.json").rename(folder.parent / "reasons.json")
    (folder / "reasons.json").symlink_to(folder.parent / "reasons.json")


def link_folder(folder: Path) -> None:
    (folder / "components").rename(folder.parent / "components")
    (folder / "components").symlink_to(folder.parent / "components")


def remove_signature(folder: Path) -> None:
    (folder / "manifest.sig").unlink()


def grow_manifest(folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" " * (1 << 20))


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (add_file, "MLmodel is not listed"),
        (add_folder, "extra/ is not listed"),
        (remove_file, r"reasons\.json is missing"),
        (rename_file, r"reason\.json is not listed"),
        (link_file, r"reasons\.json is not a plain file"),
        (link_folder, "components is not a plain file"),
        (remove_signature, r"manifest\.sig is missing"),
        (grow_manifest, "larger than allowed"),
    ],
)
def test_a_changed_folder_is_refused(copy: Path, tamper: Callable[[Path], None], why: str) -> None:
    tamper(copy)
    refused(copy, why)


def test_a_bundle_behind_a_link_or_absent_is_refused(signed: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(signed)
    refused(tmp_path / "link", "not a folder")
    refused(tmp_path / "absent", "not a folder")


def test_a_foreign_signature_is_refused(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "foreign", signing_key(2))
    refused(tmp_path / "foreign", "signed by an unknown key")


def test_a_signature_of_another_bundle_by_the_same_key_is_refused(copy: Path, tmp_path: Path) -> None:
    seal(tmp_path / "other", {"note.txt": b"hello"}, {}, KEY)
    shutil.copy(tmp_path / "other" / "manifest.sig", copy / "manifest.sig")
    refused(copy, "signature is not valid")


def test_a_foreign_signature_under_a_trusted_key_id_is_refused(copy: Path, tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "foreign", signing_key(2))
    trusted_id = (copy / "manifest.sig").read_text().split(" ")[0]
    foreign = (tmp_path / "foreign" / "manifest.sig").read_text().split(" ")[1]
    (copy / "manifest.sig").write_text(f"{trusted_id} {foreign}")
    refused(copy, "signature is not valid")


@pytest.mark.parametrize("place", ['"about":', '"sha256":'])
def test_a_manifest_with_a_repeated_member_is_refused_even_signed_by_a_trusted_issuer(copy: Path, place: str) -> None:
    manifest = (copy / "manifest.json").read_bytes()
    begin = manifest.index(place.encode())
    first = b'"about":{},' if place == '"about":' else b'"sha256":"' + b"0" * 64 + b'",'
    forged = manifest[:begin] + first + manifest[begin:]
    assert json.loads(forged) == json.loads(manifest)
    signature = KEY.sign(b"credit-model-bundle/1 manifest.json\n" + forged).hex()
    (copy / "manifest.json").write_bytes(forged)
    (copy / "manifest.sig").write_text(f"{key_id(KEY.public_key())} {signature}\n")
    with pytest.raises(IntegrityRefused, match="not canonical"):
        load_bundle(copy, TRUSTED)


def test_a_signature_over_the_bare_manifest_is_refused(copy: Path) -> None:
    line = (copy / "manifest.sig").read_text().split(" ")[0]
    bare = KEY.sign((copy / "manifest.json").read_bytes()).hex()
    (copy / "manifest.sig").write_text(f"{line} {bare}\n")
    refused(copy, "signature is not valid")


def hostile_child(files: dict[str, bytes]) -> None:
    text = files["components/0.txt"].decode()
    line = re.search(r"^left_child=(\S+)", text, re.MULTILINE)
    files["components/0.txt"] = text.replace(line.group(0), "left_child=" + "9" * len(line.group(1)), 1).encode()


def turned_direction(files: dict[str, bytes]) -> None:
    document = json.loads(files["model.json"])
    document["features"][0]["direction"] = 1
    files["model.json"] = json.dumps(document).encode()


def turned_scorecard(files: dict[str, bytes]) -> None:
    table = json.loads(files["components/1.json"])
    table["columns"][0]["log_odds"].reverse()
    files["components/1.json"] = json.dumps(table).encode()


def slightly_turned_scorecard(files: dict[str, bytes]) -> None:
    table = json.loads(files["components/1.json"])
    # The first column lowers risk, so its log-odds may not rise, however little.
    log_odds = table["columns"][0]["log_odds"]
    log_odds[1] = float(np.nextafter(log_odds[0], np.inf))
    files["components/1.json"] = json.dumps(table).encode()


def moved_intercept(files: dict[str, bytes]) -> None:
    document = json.loads(files["model.json"])
    document["calibrator"]["intercept"] += 1e-9
    files["model.json"] = json.dumps(document).encode()


def negative_slope(files: dict[str, bytes]) -> None:
    document = json.loads(files["model.json"])
    document["calibrator"]["slope"] *= -1
    files["model.json"] = json.dumps(document).encode()


def pickled_component(files: dict[str, bytes]) -> None:
    document = json.loads(files["model.json"])
    document["components"][0]["kind"] = "pickle"
    files["model.json"] = json.dumps(document).encode()


def unused_file(files: dict[str, bytes]) -> None:
    files |= {"components/9.txt": b"tree\n", "notes.txt": b""}


def no_golden_rows(files: dict[str, bytes]) -> None:
    empty = {"inputs": [], "log_odds": [], "probability": [], "base_points": 0, "points": [], "score": []}
    files["golden.json"] = json.dumps(empty).encode()


def narrower_golden_rows(files: dict[str, bytes]) -> None:
    golden = json.loads(files["golden.json"])
    files["golden.json"] = json.dumps({**golden, "inputs": [row[1:] for row in golden["inputs"]]}).encode()


def infinite_weight(files: dict[str, bytes]) -> None:
    files["model.json"] = re.sub(rb'"weight": [0-9.]+', b'"weight": Infinity', files["model.json"], count=1)


def no_components(files: dict[str, bytes]) -> None:
    files["model.json"] = json.dumps({**json.loads(files["model.json"]), "components": []}).encode()


def lost_file(files: dict[str, bytes]) -> None:
    del files["golden.json"]


def foreign_letters(files: dict[str, bytes]) -> None:
    files["components/0.txt"] = files["components/0.txt"].replace(b"tree", "trée".encode(), 1)


def other_reasons(files: dict[str, bytes]) -> None:
    dictionary = json.loads(files["reasons.json"])
    dictionary["entries"].reverse()
    files["reasons.json"] = json.dumps(dictionary).encode()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (hostile_child, "model text refused"),
        (turned_direction, "direction of column 0"),
        (turned_scorecard, "breaks the declared direction of column 0"),
        (slightly_turned_scorecard, "breaks the declared direction of column 0"),
        (moved_intercept, "golden rows are not reproduced"),
        (negative_slope, r"model\.json cannot be read"),
        (pickled_component, r"model\.json cannot be read"),
        (unused_file, r"components/9\.txt is not a file of this bundle format"),
        (no_golden_rows, "no golden rows"),
        (narrower_golden_rows, "golden rows do not have the model's columns"),
        (infinite_weight, r"model\.json cannot be read"),
        (no_components, r"model\.json cannot be read"),
        (lost_file, r"it has no golden\.json"),
        (foreign_letters, r"components/0\.txt is not plain text"),
        (other_reasons, "reasons do not belong to its features"),
    ],
)
def test_a_bad_model_is_refused_even_under_a_trusted_signature(
    copy: Path, change: Callable[[dict[str, bytes]], None], why: str
) -> None:
    refused(resigned(copy, change), why)


def changed_line(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, bytes]], None]:
    """Return a change of the first component, a linear one."""

    def apply(files: dict[str, bytes]) -> None:
        table = json.loads(files["components/0.json"])
        change(table)
        files["components/0.json"] = json.dumps(table).encode()

    return apply


def turned_coefficient(table: dict[str, Any]) -> None:
    table["columns"][0]["coefficient"] *= -1


def slightly_turned_coefficient(table: dict[str, Any]) -> None:
    table["columns"][0]["coefficient"] = 1e-300


def turned(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda table: table["columns"][0]["scale"][name].reverse()


def lost_score(table: dict[str, Any]) -> None:
    table["columns"][0]["scale"]["scores"].pop()


def no_knots(table: dict[str, Any]) -> None:
    table["columns"][0]["scale"] = {"knots": [], "scores": []}


def infinite_knot(table: dict[str, Any]) -> None:
    table["columns"][0]["scale"]["knots"][-1] = float("inf")


def coefficient_that_is_no_number(table: dict[str, Any]) -> None:
    table["columns"][0]["coefficient"] = float("nan")


def unknown_field(table: dict[str, Any]) -> None:
    table["columns"][0]["loader"] = "evil"


def negative_coefficient_without_direction(table: dict[str, Any]) -> None:
    directions = [direction for _, direction in encoded_columns(small_linear_model().features)]
    table["columns"][directions.index(0)]["coefficient"] = -0.5


def larger_coefficient(table: dict[str, Any]) -> None:
    table["columns"][0]["coefficient"] *= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (turned_coefficient, r"components/0\.json breaks the declared direction of column 0"),
        (slightly_turned_coefficient, r"components/0\.json breaks the declared direction of column 0"),
        (lambda table: table["columns"].pop(), r"components/0\.json does not have the model's 10 columns"),
        (turned("scores"), r"components/0\.json cannot be read"),
        (turned("knots"), r"components/0\.json cannot be read"),
        (lost_score, r"components/0\.json cannot be read"),
        (no_knots, r"components/0\.json cannot be read"),
        (infinite_knot, r"components/0\.json cannot be read"),
        (coefficient_that_is_no_number, r"components/0\.json cannot be read"),
        (unknown_field, r"components/0\.json cannot be read"),
        (negative_coefficient_without_direction, "golden rows are not reproduced"),
        (larger_coefficient, "golden rows are not reproduced"),
    ],
)
def test_a_bad_linear_model_is_refused_even_under_a_trusted_signature(
    copy_of_linear: Path, change: Callable[[dict[str, Any]], None], why: str
) -> None:
    refused(resigned(copy_of_linear, changed_line(change)), why)


def test_signing_again_without_a_change_is_accepted(copy: Path) -> None:
    load_bundle(resigned(copy, lambda _: None), TRUSTED)


@pytest.mark.parametrize("make", [small_credit_model, small_linear_model], ids=["trees", "linear"])
def test_a_model_whose_components_do_not_prove_its_directions_is_never_signed(
    tmp_path: Path, make: Callable[[], CreditModel]
) -> None:
    model, dataset = make(), small_world().dataset
    contents = bundle_contents(model, dataset.X, dataset.y)
    turned = (model.features[0].model_copy(update={"direction": 1}), *model.features[1:])
    with pytest.raises(IntegrityRefused, match="direction of column 0"):
        write_bundle(contents._replace(model=replace(model, features=turned)), bundle_meta(), KEY, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_is_never_written_over_another(copy: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="not empty"):
        write_small_bundle(copy)
