"""The terms of passports: who issues them, for how long, and what default means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from pipelines.profiles import Profile
    from pipelines.signing.keys import KeyRing


@dataclass(frozen=True)
class PassportTerms:
    """What is equal in all passports of one issue.

    ``default_definition`` is the meaning of default in English and in Chinese. ``as_of_age_days`` is the number of days
    after the as-of date for which the data count as fresh.
    """

    keys: KeyRing = field(repr=False)
    issuer_name: str
    issued_on: date
    valid_days: int
    as_of_age_days: int
    default_definition: tuple[str, str] | None = None


def passport_terms(profile: Profile, keys: KeyRing, issued_on: date) -> PassportTerms:
    """Return the terms of the passports that a profile issues on a day."""
    performance = profile.target.performance
    definition = ("default as stated by a lender, without a date", "以贷款机构给出的违约标识为准，无违约日期")
    if performance is not None:
        overdue, window = profile.target.days_past_due, performance.performance_days
        definition = (
            f"{overdue} or more days past due within {window} days after the as-of date",
            f"截止日后 {window} 天内逾期 {overdue} 天及以上",
        )
    return PassportTerms(
        keys=keys,
        issuer_name=profile.scoring.issuer_name,
        issued_on=issued_on,
        valid_days=profile.scoring.valid_days,
        as_of_age_days=profile.scoring.limits.as_of_age_days,
        default_definition=definition,
    )
