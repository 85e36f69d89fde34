"""The form of a credit passport: its fields, how they are spelt, and what must add up.

Every number is a string, because canonical JSON has no decimals. A field that is not built yet, or unknown for a
seller, is absent rather than empty. The JSON Schema of passports is generated from these classes.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pipelines.signing.credential import CREDENTIALS_CONTEXT, UNDEFINED_TERMS_CONTEXT

SCHEMA_VERSION: Final = "1.4"
MOST_PATHS: Final = 4
"""Most paths of links listed for one feature."""
CONTEXT: Final = (CREDENTIALS_CONTEXT, UNDEFINED_TERMS_CONTEXT)

Integer = Annotated[str, StringConstraints(pattern=r"^(0|-?[1-9][0-9]{0,8})$")]
Count = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,8})$")]
Probability = Annotated[str, StringConstraints(pattern=r"^(0\.[0-9]{6}|1\.000000)$")]
Decimal = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$", max_length=40)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Instant = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Party = Annotated[str, StringConstraints(pattern=r"^urn:(seller|party)-pseudonym:[0-9a-f]{32}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Words(_Part):
    """The same words in English and in Chinese."""

    en: Word
    zh: Word


class Commitment(_Part):
    """A commitment to the seller's identifier: its HMAC-SHA256 under a salt that only the seller holds."""

    method: Literal["hmac-sha256"]
    value: Sha256


class Caution(Words):
    """Something a lender should know although the seller was scored."""

    code: Word
    feature: Word | None = None


class Interval(_Part):
    """Bounds of the probability of default, their level, and what they account for."""

    lower: Probability
    upper: Probability
    level: Decimal
    method: Word


class Scale(_Part):
    """Points to double the odds: ``base_score`` stands for good:bad odds of ``base_odds`` to one."""

    base_score: Decimal
    base_odds: Decimal
    points_to_double_odds: Decimal


class Assessment(_Part):
    """How likely default is, as a probability, a score and a grade."""

    probability_of_default: Probability
    probability_of_default_interval: Interval | None = None
    score: Integer
    grade: Word
    horizon_days: Count | None = None
    default_definition: Words | None = None
    scale: Scale


Grade = Literal["corroborated", "not_contradicted", "single_source", "contradicted", "not_evidenced"]


class Evidence(_Part):
    """How well a pillar is evidenced, and the sources behind it."""

    grade: Grade
    sources: tuple[Word, ...]


class ClaimAmount(Words):
    """What one source shows of a claim over a number of quarters up to the claim's ``period_to``.

    A source that was compared with the claim also has the amount claimed for the same quarters, and the lowest and
    highest amount it might show. ``verdict``: ``claimed`` (part of the claim), ``beside`` (shown with it, by the same
    source), ``alone`` (nothing to compare with), ``small`` (too little to compare), ``agrees``, ``compatible`` (within
    its range, but half of the claim or nothing at all would fit as well), ``below``, ``above``.
    """

    source: Word
    verdict: Literal["claimed", "beside", "alone", "small", "agrees", "compatible", "below", "above"]
    quarters: Count
    usd: Decimal
    claimed_usd: Decimal | None = None
    lowest_usd: Decimal | None = None
    highest_usd: Decimal | None = None


class ClaimLine(_Part):
    """A claim about the seller's trade, its evidence grade and the amounts behind it; the same as a sentence."""

    claim: Word
    grade: Grade
    period_to: Day
    amounts: tuple[ClaimAmount, ...]
    en: Sentence
    zh: Sentence


class PillarPoints(Words):
    """Points of one pillar; ``evidence`` is absent if several sources were delivered but could not be compared."""

    pillar: Word
    points: Integer
    evidence: Evidence | None = None


class ReasonLine(Words):
    """One reason in points; ``value`` is absent where the data are missing."""

    code: Word
    feature: Word
    pillar: Word
    points: Integer
    value: Decimal | None = None
    unit: str


class Points(_Part):
    """The parts of the score, twice: by pillar, and as the strongest reasons with one line for all others."""

    base: Integer
    pillars: tuple[PillarPoints, ...]
    speaks_for: tuple[ReasonLine, ...] = Field(alias="for", max_length=4)
    against: tuple[ReasonLine, ...] = Field(max_length=4)
    all_others: Integer


LinkType = Literal[
    "owner", "director", "address", "phone", "bank_account", "device", "guarantee", "same_firm", "login", "pledge",
    "supplier", "buyer", "consignee",
]  # fmt: skip


class RelatedLink(_Part):
    """A link between two parties: the first holds, uses, guarantees or trades with the second.

    ``valid_from`` is its first day, or the day of a login, an invoice, a declaration or a pledge. The amount of a
    guarantee is stated if it is the seller's own, given or received. ``lender`` is who holds a pledge.
    """

    start: Party = Field(alias="from")
    end: Party = Field(alias="to")
    link_type: LinkType
    amount_usd: Decimal | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    lender: Party | None = None


class RelatedPath(_Part):
    """A chain of links that begins at the seller; each link shares a party with the one before.

    ``reaches`` is the seller at its end, ``in_default_since`` the day of that seller's known default, ``days_late``
    how late its worst payment was, if the feature is about late payments.
    """

    links: tuple[RelatedLink, ...] = Field(min_length=1)
    reaches: Party | None = None
    in_default_since: Day | None = None
    days_late: Count | None = None

    @model_validator(mode="after")
    def _is_a_chain(self) -> Self:
        ends = [{link.start, link.end} for link in self.links]
        if not all(before & after for before, after in pairwise(ends)):
            raise ValueError("the links of a path do not follow one another")
        if self.reaches is not None and self.reaches not in ends[-1]:
            raise ValueError("a path does not lead where it says")
        return self


class RelatedSignal(Words):
    """A feature of related parties that is a main reason or a raised flag, and the links behind it.

    ``paths_found`` counts all paths; those to sellers in default or late come first, then the shortest.
    """

    feature: Word
    paths_found: Count
    paths: tuple[RelatedPath, ...] = Field(min_length=1, max_length=MOST_PATHS)

    @model_validator(mode="after")
    def _counts_its_paths(self) -> Self:
        if int(self.paths_found) < len(self.paths):
            raise ValueError("more paths are listed than were found")
        return self


class Coverage(_Part):
    """What one source delivered for one table, and for what period."""

    source: Word
    table: Word
    period_from: Day
    period_to: Day
    deliveries: Count


class FeatureSetReference(_Part):
    """The feature set behind the score; the version is "unknown" if the set is not installed."""

    name: Word
    version: Word
    sha256: Sha256


class ModelReference(_Part):
    """The model that scored, down to its bytes.

    ``promotion`` is what the issuer's ledger of promotions says of it on the day of issue (since schema 1.3): in force,
    in force before, or no promotion on record.
    """

    name: Word
    version: Word | None = None
    bundle_sha256: Sha256
    feature_set: FeatureSetReference
    promotion: Literal["champion", "earlier_champion", "not_promoted"] | None = None


class PassportSubject(_Part):
    """What a passport states about a seller.

    ``data_coverage`` lists the deliveries that a feature of the model reads, and ``data_not_read`` all others (before
    schema 1.2 there was one list of all). A source that no feature reads may still be a witness of a claim.
    ``related_parties`` (since schema 1.4) lists the features of related parties among the main reasons or raised flags
    that links are behind; it is absent if there are none. Every party is named by a pseudonym.
    """

    id: Word
    schema_version: Literal["1.0", "1.1", "1.2", "1.3", "1.4"]
    pseudonym: Pseudonym
    subject_commitment: Commitment
    as_of: Day
    issued_on: Day
    valid_until: Day
    stale_after: Day
    demonstration: bool
    evidence: Word
    status: Literal["scored", "scored_with_warning"]
    warnings: tuple[Caution, ...]
    assessment: Assessment
    points: Points
    claims: tuple[ClaimLine, ...] | None = None
    related_parties: tuple[RelatedSignal, ...] | None = None
    data_coverage: tuple[Coverage, ...] | None = None
    data_not_read: tuple[Coverage, ...] | None = None
    model: ModelReference
    contracts: tuple[Word, ...] | None = None
    data_digests: dict[Word, Sha256]

    @model_validator(mode="after")
    def _points_add_up(self) -> Self:
        points, score = self.points, int(self.assessment.score)
        by_pillar = int(points.base) + sum(int(pillar.points) for pillar in points.pillars)
        reasons = (*points.speaks_for, *points.against)
        by_reason = int(points.base) + sum(int(reason.points) for reason in reasons) + int(points.all_others)
        if by_pillar != score or by_reason != score:
            raise ValueError("the points do not add up to the score")
        return self

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        days = [date.fromisoformat(day) for day in (self.as_of, self.issued_on, self.valid_until)]
        if days != sorted(days):
            raise ValueError("as_of, issued_on and valid_until do not follow one another")
        if self.id != f"urn:seller-pseudonym:{self.pseudonym}":
            raise ValueError("the id is not that of the pseudonym")
        if bool(self.warnings) != (self.status == "scored_with_warning"):
            raise ValueError("status and warnings contradict each other")
        if self.claims is not None and self.schema_version == "1.0":
            raise ValueError("schema 1.0 has no claims")
        if self.data_not_read is not None and self.schema_version < "1.2":
            raise ValueError("before schema 1.2 nothing tells which data no feature read")
        if self.model.promotion is not None and self.schema_version < "1.3":
            raise ValueError("before schema 1.3 nothing tells whether the model was promoted")
        return self

    @model_validator(mode="after")
    def _links_are_the_sellers(self) -> Self:
        if self.related_parties is None:
            return self
        if self.schema_version < "1.4":
            raise ValueError("before schema 1.4 nothing tells of related parties")
        for path in (path for signal in self.related_parties for path in signal.paths):
            if self.id not in {path.links[0].start, path.links[0].end}:
                raise ValueError("a path does not begin at the seller")
            days = [path.in_default_since, *(link.valid_from for link in path.links)]
            if any(day is not None and day > self.as_of for day in days):
                raise ValueError("a link or a default is later than the data")
        return self


class Issuer(_Part):
    """Who issued the passport: the ``did:key`` of the signing key, and a name."""

    id: Word
    name: Word


class PassportDocument(_Part):
    """A passport without its proof: a W3C Verifiable Credential 2.0."""

    context: tuple[Word, ...] = Field(alias="@context")
    id: Annotated[str, StringConstraints(pattern=r"^urn:uuid:[0-9a-f-]{36}$")]
    type: tuple[Literal["VerifiableCredential"], Literal["SellerCreditPassport"]]
    issuer: Issuer
    valid_from: Instant = Field(alias="validFrom")
    valid_until: Instant = Field(alias="validUntil")
    subject: PassportSubject = Field(alias="credentialSubject")

    @model_validator(mode="after")
    def _dates_agree(self) -> Self:
        subject = self.subject
        if (self.valid_from, self.valid_until) != validity(subject.issued_on, subject.valid_until):
            raise ValueError("the credential's validity is not the subject's")
        if self.context != CONTEXT:
            raise ValueError("the context is not that of a passport")
        return self

    def as_json(self) -> dict[str, Any]:
        """Return the document as JSON values, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def validity(issued_on: str, valid_until: str) -> tuple[str, str]:
    """Return the first and last instant (UTC) of a passport issued and valid on these days."""
    return f"{issued_on}T00:00:00Z", f"{valid_until}T23:59:59Z"


def passport_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a passport without its proof."""
    schema = PassportDocument.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
