"""``passport verify``: check that a trusted issuer signed this passport and that it is still valid.

A reading page is checked too: it must show, byte for byte, what the passport beside it says. A page alone is no proof.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from data_contracts.errors import ConfigurationRefused
from pipelines.passports.document import PassportDocument, PassportSubject
from pipelines.reports.passport_page import render_passport_page
from pipelines.reports.rendering import LANGUAGES
from pipelines.signing.credential import (
    MAX_CREDENTIAL_BYTES,
    Code,
    CredentialRefused,
    VerifiedCredential,
    verify_credential,
)
from pipelines.signing.keys import TrustList, read_trust_file, subject_commitment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

EXIT_ACCEPTED: Final = 0
EXIT_REFUSED: Final = 2
PAGE_SUFFIXES: Final = (".html", ".htm")


@dataclass(frozen=True)
class VerifyOptions:
    """What to check passports against.

    ``trust`` is a trust file (None: every issuer is unknown), ``on`` the date to check against. ``subject`` and
    ``salt`` belong together: the ID of the seller that the passport should be about, and the salt the seller holds.
    """

    on: date
    trust: Path | None = None
    subject: str | None = None
    salt: str | None = None


@dataclass(frozen=True)
class VerifyOutcome:
    """The result for one file; issuer and subject are filled in only if the passport is accepted."""

    file: str
    code: Code
    message: str
    issuer: str | None = None
    subject: PassportSubject | None = None

    @property
    def accepted(self) -> bool:
        """Whether the passport was accepted."""
        return self.code == "ok"

    @property
    def exit_code(self) -> int:
        """0 when accepted, 2 when refused."""
        return EXIT_ACCEPTED if self.accepted else EXIT_REFUSED


def verify_command(files: Sequence[Path], options: VerifyOptions) -> list[VerifyOutcome]:
    """Verify every file, in order; one refused passport does not stop the others.

    Raises:
        ConfigurationRefused: the trust file is invalid, or only one of subject and salt is given.
    """
    trust = None if options.trust is None else read_trust_file(options.trust)
    commitment = _expected_commitment(options)
    return [_verify_file(path, options.on, trust, commitment) for path in files]


def exit_code_of(outcomes: Sequence[VerifyOutcome]) -> int:
    """Return 0 if every file was accepted, 2 otherwise or if there is no file."""
    return max((outcome.exit_code for outcome in outcomes), default=EXIT_REFUSED)


def verify_passport(
    data: bytes, on: date, trust: TrustList | None, commitment: str | None
) -> tuple[VerifiedCredential, PassportSubject]:
    """Check the bytes of a passport; its subject must carry ``commitment`` if one is given.

    Raises:
        CredentialRefused: with the code of the first check that fails.
    """
    verified = verify_credential(data, on, trust)
    try:
        document = PassportDocument.model_validate_json(json.dumps(dict(verified.document)))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise CredentialRefused("malformed", f"signed, but no passport: {place}: {first['msg']}") from error
    subject = document.subject
    if commitment is not None and not hmac.compare_digest(subject.subject_commitment.value, commitment):
        raise CredentialRefused("subject_mismatch", "it is about another seller, or the salt is wrong")
    if on.isoformat() > subject.stale_after:
        raise CredentialRefused("stale_data", f"its data, as of {subject.as_of}, are stale after {subject.stale_after}")
    return verified, subject


def _verify_file(path: Path, on: date, trust: TrustList | None, commitment: str | None) -> VerifyOutcome:
    is_page = path.suffix.lower() in PAGE_SUFFIXES
    passport = path.with_name(f"{path.name.partition('.')[0]}.json") if is_page else path
    try:
        data = _read(passport)
        verified, subject = verify_passport(data, on, trust, commitment)
        if is_page:
            _require_page_of(path, data)
    except CredentialRefused as error:
        return VerifyOutcome(str(path), error.code, str(error) if passport == path else f"{passport.name}: {error}")
    return VerifyOutcome(str(path), "ok", _said(verified, subject), verified.issuer, subject)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_CREDENTIAL_BYTES + 1)
    except OSError as error:
        raise CredentialRefused("malformed", f"cannot be read: {error.strerror}") from error


def _require_page_of(page: Path, passport: bytes) -> None:
    """Refuse a page that is not the one this program makes of a passport, in any language."""
    shown = _read(page)
    if all(render_passport_page(json.loads(passport), language).encode() != shown for language in LANGUAGES):
        raise CredentialRefused(
            "page_differs", "the page does not show this passport, or another version of the program made it"
        )


def _said(verified: VerifiedCredential, subject: PassportSubject) -> str:
    """Return what a passport says, so that a reader can compare a page or a letter with it."""
    found = subject.assessment
    return (
        f"valid from {verified.valid_from} until {verified.valid_until}; score {found.score}, grade {found.grade}, "
        f"probability of default {float(found.probability_of_default):.4f}, data as of {subject.as_of}"
    )


def _expected_commitment(options: VerifyOptions) -> str | None:
    if options.subject is None and options.salt is None:
        return None
    remedy = "give both --subject ID and --salt SALT, the salt as the issuer gave it to the seller"
    if options.subject is None or options.salt is None:
        raise ConfigurationRefused("--subject and --salt belong together", remedy)
    try:
        return subject_commitment(options.salt, options.subject)
    except ValueError as error:
        raise ConfigurationRefused(f"--salt: {error}", remedy) from error
