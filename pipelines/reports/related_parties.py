"""The links behind features of related parties on a page: in words, and as one small picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from features.graph.path_picture import draw_paths
from features.graph.path_words import path_in_words
from features.graph.paths import Path, Tie
from pipelines.reports.rendering import TrustedMarkup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from features.related_parties import RelatedParties
    from pipelines.reports.rendering import Texts

SHORT_NAME: Final = 8
"""Digits of a pseudonym that are shown; the JSON has all of them."""
MOST_TOLD: Final = 6
"""Most paths of a feature that an internal page tells."""
SELLER_NAME: Final = "urn:seller-pseudonym:"
"""How the name of a seller on a passport begins."""
# The words for these links say what their end is.
_USES: Final = frozenset({"address", "phone", "bank_account", "device", "login", "pledge"})


@dataclass(frozen=True)
class LinkedFeature:
    """A feature in the language of the page, the paths behind it that are told, and the number of all."""

    title: str
    paths: tuple[Path, ...]
    paths_found: int


@dataclass(frozen=True)
class Names:
    """How parties are called in a sentence and in the picture, which has less room, and which of them are sellers.

    A sentence begins with a capital if names are ``words``; an identifier stays as it is.
    """

    said: Callable[[str], str]
    drawn: Callable[[str], str]
    is_seller: Callable[[str], bool]
    words: bool


def links_section(features: Sequence[LinkedFeature], seller: str, names: Names, texts: Texts) -> dict[str, object]:
    """Return the words and the picture of a seller's links; features with the same paths are told together."""
    groups: dict[tuple[Path, ...], list[LinkedFeature]] = {}
    for feature in features:
        groups.setdefault(feature.paths, []).append(feature)
    paths = tuple(dict.fromkeys(path for group in groups for path in group))
    ends = {end for path in paths for tie in path.ties for end in (tie.start, tie.end)}
    others = frozenset(names.drawn(end) for end in ends if names.is_seller(end))
    drawn = [path.named(names.drawn) for path in paths]
    return {
        "groups": [_group(shown, behind, names, texts) for shown, behind in groups.items()],
        "picture": TrustedMarkup(draw_paths(drawn, names.drawn(seller), texts.language, others)),
    }


def _group(paths: Sequence[Path], behind: Sequence[LinkedFeature], names: Names, texts: Texts) -> dict[str, object]:
    sentences = [path_in_words(path.named(names.said), texts.language) for path in paths]
    if names.words:
        sentences = [f"{sentence[0].upper()}{sentence[1:]}" for sentence in sentences]
    return {
        "titles": texts("list_comma").join(feature.title for feature in behind),
        "sentences": [sentence + texts("full_stop").strip() for sentence in sentences],
        "more": max(feature.paths_found for feature in behind) - len(paths),
    }


def named_links(found: RelatedParties, texts: Texts) -> dict[str, object]:
    """Return the words, with the rows that state each link, and the picture of a seller's links, parties as named."""
    features = [
        LinkedFeature(
            title={"en": signal.record.title_en, "zh": signal.record.title_zh}[texts.language],
            paths=signal.first(MOST_TOLD),
            paths_found=len(signal.paths),
        )
        for signal in found.signals
    ]
    return links_section(features, found.seller, Names(str, str, found.sellers.__contains__, words=False), texts)


def passport_links(subject: Mapping[str, Any], texts: Texts) -> dict[str, object] | None:
    """Return the words and the picture of the links on a passport; None if it states none.

    A party is called by the first digits of its pseudonym.
    """
    signals = subject.get("related_parties")
    if not signals:
        return None
    features = [
        LinkedFeature(signal[texts.language], tuple(map(_path, signal["paths"])), int(signal["paths_found"]))
        for signal in signals
    ]
    ties = [tie for feature in features for path in feature.paths for tie in path.ties]
    used = {tie.end for tie in ties if tie.link_type in _USES} | {tie.lender for tie in ties}

    def said(name: str) -> str:
        if name == subject["id"]:
            return texts("this_seller")
        if name.startswith(SELLER_NAME):
            return texts("other_seller", name=_short(name))
        return _short(name) if name in used else texts("other_party", name=_short(name))

    def drawn(name: str) -> str:
        return texts("this_seller") if name == subject["id"] else _short(name)

    return links_section(
        features, subject["id"], Names(said, drawn, lambda name: name.startswith(SELLER_NAME), words=True), texts
    )


def _short(name: str) -> str:
    return name.rpartition(":")[2][:SHORT_NAME]


def _path(path: Mapping[str, Any]) -> Path:
    late = path.get("days_late")
    return Path(
        ties=tuple(map(_tie, path["links"])),
        reaches=path.get("reaches"),
        default_date=_day(path.get("in_default_since")),
        days_late=None if late is None else int(late),
    )


def _tie(link: Mapping[str, Any]) -> Tie:
    amount = link.get("amount_usd")
    return Tie(
        start=link["from"],
        end=link["to"],
        link_type=link["link_type"],
        amount_usd=None if amount is None else float(amount),
        valid_from=_day(link.get("valid_from")),
        valid_to=_day(link.get("valid_to")),
        lender=link.get("lender"),
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
