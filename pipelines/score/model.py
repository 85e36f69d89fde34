"""The bundle to score with: where it is fetched from, and whose signature on it is trusted."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.registry.bundle import Bundle, load_bundle
from models.registry.mlflow_client import DATABASE
from models.registry.mlflow_registry import CHAMPION, fetch_bundle, parse_address
from models.registry.promotion_ledger import Promotion, champion_in_force, promotion_state
from models.registry.sealed_folder import key_id
from pipelines.register.registry import registry_of
from pipelines.signing.did_key import public_key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from models.registry.mlflow_client import Registry
    from models.registry.promotion_ledger import Ledger, LedgerEntry
    from pipelines.runs.stages import Place
    from pipelines.signing.keys import TrustList


@dataclass(frozen=True)
class ScoringModel:
    """A verified bundle and its version in the registry, or the version that a bundle folder states itself.

    ``promotion`` is what the promotion ledger at hand says of it.
    """

    bundle: Bundle
    version: str
    promotion: Promotion = "not_promoted"


@dataclass(frozen=True)
class ModelChoice:
    """Which model to score with: a bundle folder, else a ``models:/`` address, else the profile's champion.

    ``registry`` is an MLflow tracking URI, or None for the one beside the profile's outputs. ``ledger`` says which
    bundle is champion.
    """

    place: Place
    model_name: str
    ledger: Ledger
    bundle: Path | None = None
    address: str | None = None
    registry: str | None = None
    trusted: Sequence[Ed25519PublicKey] = field(default=(), repr=False)
    threads: int = 1


def load_model(choice: ModelChoice) -> ScoringModel:
    """Load and verify the chosen model.

    The champion is the one that the promotion ledger names. The registry's alias only says where its bundle is: whoever
    can write the registry's database can set the alias back.

    Raises:
        ConfigurationRefused: both a bundle and an address, or no such model in the registry.
        IntegrityRefused: the bundle is not what a trusted key signed, or not what the registry says it is; or the alias
            of the champion does not lead to the bundle that the ledger names.
    """
    entries = _promotions(choice)
    if choice.bundle is not None:
        if choice.address is not None:
            raise ConfigurationRefused("both a bundle folder and a model address are given", "give one of them")
        bundle = load_bundle(choice.bundle, choice.trusted, choice.threads)
        return ScoringModel(bundle, bundle.meta.model_version, promotion_state(entries, bundle.digest))
    registry = registry_of(choice.place, choice.model_name)
    if choice.registry is None and not (choice.place.root / DATABASE).is_file():
        raise ConfigurationRefused(
            f"no model registry found in {choice.place.root}", "run: passport register, or give --registry or --bundle"
        )
    address = choice.address or f"models:/{choice.model_name}@{CHAMPION}"
    found = fetch_model(address, choice.registry or registry.tracking_uri, choice.trusted, choice.threads)
    parsed = parse_address(address)
    if parsed.alias == CHAMPION:
        _require_champion(found, champion_in_force(entries, parsed.name), choice.ledger)
    return replace(found, promotion=promotion_state(entries, found.bundle.digest))


def _require_champion(found: ScoringModel, champion: LedgerEntry | None, ledger: Ledger) -> None:
    """Refuse a bundle that the registry calls champion and the ledger does not."""
    if champion is not None and champion.bundle_sha256 == found.bundle.digest:
        return
    named = "no champion" if champion is None else f"version {champion.version} ({champion.bundle_sha256[:16]}…)"
    remedy = (
        "run: passport register"
        if champion is None
        else f"passport promote {champion.version} --approver NAME --reason TEXT sets the registry right"
    )
    raise IntegrityRefused(
        f"the registry calls version {found.version} ({found.bundle.digest[:16]}…) champion, and the promotion ledger "
        f"{ledger.log.path} names {named}; remedy: {remedy}; or name a version: --model models:/NAME/VERSION"
    )


def _promotions(choice: ModelChoice) -> tuple[LedgerEntry, ...]:
    """Return the decisions of the ledger at hand; none if no trusted key signed it.

    Raises:
        IntegrityRefused: the ledger was changed, or set back to an older state.
    """
    for key in choice.trusted:
        try:
            return choice.ledger.read(key)
        except IntegrityRefused as error:
            if not isinstance(error.__cause__, InvalidSignature):
                raise
    return ()


def champion_model(
    candidate: Path, champion: LedgerEntry | None, registry: Registry, trusted: Sequence[Ed25519PublicKey]
) -> ScoringModel:
    """Return the champion that the ledger names: the candidate itself, or a version in the registry.

    Raises:
        ConfigurationRefused: nothing was ever promoted.
        IntegrityRefused: as ``load_model``.
    """
    if champion is None:
        raise ConfigurationRefused(
            f"{registry.model_name} has no champion: no candidate passed the gates", "see registration.json"
        )
    bundle = load_bundle(candidate, trusted)
    if bundle.digest == champion.bundle_sha256:
        return ScoringModel(bundle, str(champion.version), "champion")
    address = f"models:/{registry.model_name}/{champion.version}"
    found = fetch_model(address, registry.tracking_uri, trusted)
    if found.bundle.digest != champion.bundle_sha256:
        raise IntegrityRefused(f"{address}: the registry holds another bundle than the ledger names")
    return replace(found, promotion="champion")


def fetch_model(address: str, tracking_uri: str, trusted: Sequence[Ed25519PublicKey], threads: int = 1) -> ScoringModel:
    """Fetch the bundle behind a ``models:/`` address into a private folder and verify it there."""
    with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
        copied, version = fetch_bundle(address, tracking_uri, Path(folder) / "fetched")
        bundle = load_bundle(copied, trusted, threads)
    if version.bundle_sha256 is not None and version.bundle_sha256 != bundle.digest:
        raise IntegrityRefused(f"{address}: the registry holds another bundle than the one registered as this version")
    return ScoringModel(bundle, version.version)


def keys_of(trust: TrustList, issued_on: date, today: date) -> list[Ed25519PublicKey]:
    """Return the keys that may sign a bundle for passports of a day of issue, as far as is known today."""
    return [public_key_of(entry.did) for entry in trust.signers(issued_on, today)]


@contextmanager
def signer_objections(trust: TrustList, issued_on: date, today: date) -> Iterator[None]:
    """Add why a listed key may not sign, where a bundle is refused because of its signer.

    Raises:
        IntegrityRefused: the refusal with the reason, where the signer is listed; otherwise the refusal itself.
    """
    try:
        yield
    except IntegrityRefused as error:
        for entry in trust.issuers:
            objection = entry.objection(issued_on, today)
            if objection is not None and key_id(public_key_of(entry.did)) in str(error):
                what, _, remedy = str(error).partition("; remedy: ")
                raise IntegrityRefused(f"{what}: {objection}; remedy: {remedy}") from error
        raise
