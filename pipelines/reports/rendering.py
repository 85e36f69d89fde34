"""Render a template in a language into one self-contained HTML page.

A page contains its style and its pictures, makes no network request and runs no script; its content policy forbids
both. So it opens anywhere, offline, and can be filed. Text from data is escaped.
"""

from __future__ import annotations

import functools
import html
import math
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Literal

import jinja2

from pipelines.reports.cell_labels import with_cell_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Language = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")
"""Languages of every page."""

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a page may load: its own inline style and embedded pictures, nothing else."""

SYNTHETIC_EVIDENCE = "synthetic world"
"""Evidence of results that the simulator made; their pages carry the synthetic banner."""

NO_LETTER = re.compile(r"[^0-9A-Za-z]+")
"""Characters of a code that a key of the texts replaces by an underscore."""

SHARED_TEXTS = ("common", "verdicts", "names")
"""Files of words that every page may use."""

WAY_BACK = "<!--way-back-->"
"""Where ``with_way_back`` puts the link to the index page."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Digits and minus sign of an exponent."""

NOT_AVAILABLE = "–"
"""Shown where a figure is absent."""


class TextMissingError(LookupError):
    """A template uses words that the texts of a page lack in its language."""


@dataclass(frozen=True)
class TrustedMarkup:
    """Markup made by this package (a chart, the style sheet), which a template inserts unescaped."""

    markup: str

    def __html__(self) -> str:
        """Return the markup itself; Jinja2 calls this before it escapes."""
        return self.markup

    def __str__(self) -> str:
        """Return the markup itself."""
        return self.markup


@dataclass(frozen=True)
class Texts:
    """The words of one page in one language."""

    language: Language
    words: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return the words under a key, with values put into their ``{named}`` places.

        Raises:
            TextMissingError: the key is unknown, or a named place has no value.
        """
        try:
            text = self.words[key]
        except KeyError as error:
            raise TextMissingError(f"no text {key!r} in {self.language!r}") from error
        try:
            return text.format_map(values)
        except KeyError as error:
            raise TextMissingError(f"text {key!r} in {self.language!r} needs a value for {error}") from error

    def of_code(self, kind: str, code: str) -> str:
        """Return the words for a code such as a pillar's or a reason's, or the code itself if the page has none."""
        return self.words.get(f"{kind}_{NO_LETTER.sub('_', code)}", code)


def render_page(template: str, language: Language, context: Mapping[str, object]) -> str:
    """Return one page as HTML text.

    Besides what the template itself asks for, ``layout.html.j2`` reads from the context: ``file_names`` (language to
    file name, for the link to the other language), ``synthetic`` (shows the banner) and ``evidence`` (a line such as
    "demonstration sample", words by language, or None).

    Args:
        template: file name in ``templates/``, ending in ``.html.j2``; its texts are ``texts/<name>.toml`` over
            ``SHARED_TEXTS``.
        language: "en" or "zh".
        context: values for the template.

    Raises:
        jinja2.UndefinedError: the template asks for a value that the context lacks.
        TextMissingError: the template asks for words that its texts lack.
    """
    texts = page_texts(template.removesuffix(".html.j2"), language)
    page = _environment(language).get_template(template).render({**context, "t": texts, "language": language})
    return with_cell_labels(page)


@functools.cache
def page_texts(page: str, language: Language) -> Texts:
    """Return the words of a page: the shared ones, overlaid with its own.

    Raises:
        TextMissingError: a text lacks this language.
    """
    words: dict[str, str] = {}
    for name in (*SHARED_TEXTS, page):
        source = resources.files("pipelines.reports.texts").joinpath(f"{name}.toml")
        if not source.is_file():
            continue
        for key, by_language in tomllib.loads(source.read_text(encoding="utf-8")).items():
            if language not in by_language:
                raise TextMissingError(f"text {key!r} of {name}.toml has no {language!r} words")
            words[key] = by_language[language]
    return Texts(language, words)


@functools.cache
def _environment(language: Language) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(FORMATS)
    environment.filters["in_language"] = functools.partial(in_language, language=language)
    environment.filters["css_text"] = css_text
    environment.globals["style_sheet"] = TrustedMarkup(compact_style(_package_text("style.css")))
    environment.globals["content_policy"] = CONTENT_POLICY
    return environment


def _package_text(name: str) -> str:
    return resources.files("pipelines.reports.templates").joinpath(name).read_text(encoding="utf-8")


def compact_style(style: str) -> str:
    """Return a style sheet without comments, indentation and blank lines: every page carries a copy of it."""
    lines = (line.strip() for line in re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL).splitlines())
    return "\n".join(line for line in lines if line)


def css_text(words: object) -> TrustedMarkup:
    """Return words as the inside of a CSS string, everything but letters, digits and spaces escaped."""
    text = html.unescape(str(words))
    return TrustedMarkup("".join(c if c.isalnum() or c == " " else f"\\{ord(c):06x}" for c in text))


def with_way_back(page: str, address: str, words: str) -> str:
    """Return a page with a link to ``address`` in its head.

    A stage cannot write the link itself: it does not know where its pages will be kept.

    Raises:
        ValueError: the page has no place for the link.
    """
    if page.count(WAY_BACK) != 1:
        raise ValueError("a page has exactly one place for the way back")
    return page.replace(WAY_BACK, f' / <a href="{html.escape(address)}">{html.escape(words)}</a>')


def banners(evidence: str | None, texts: Texts, *, is_synthetic: bool) -> dict[str, object]:
    """Return the ``synthetic`` and ``evidence`` values of the layout, which say at the top what the figures rest on."""
    said = evidence is not None and evidence != SYNTHETIC_EVIDENCE
    return {"synthetic": is_synthetic, "evidence": texts.of_code("evidence", str(evidence)) if said else None}


def in_language(words: str | Mapping[str, str], language: Language) -> str:
    """Return the words of a page's language from a mapping, or words that are the same in all languages."""
    return words if isinstance(words, str) else words[language]


def _is_absent(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def with_typographic_minus(text: str) -> str:
    """Replace hyphens in a number by the minus sign."""
    return text.replace("-", "\N{MINUS SIGN}")


def number(value: float | None, digits: int = 3) -> str:
    """Format a number with thousands separators and a fixed number of decimals; a dash if absent."""
    if value is None or _is_absent(value):
        return NOT_AVAILABLE
    return with_typographic_minus(f"{round(value, digits) + 0.0:,.{digits}f}")


def whole(value: float | None) -> str:
    """Format a whole number with thousands separators; a dash if absent."""
    return number(value, 0)


def signed(value: float | None, digits: int = 0) -> str:
    """Format a number with its sign, except zero."""
    if value is None or _is_absent(value):
        return NOT_AVAILABLE
    rounded = round(value, digits) + 0.0
    return with_typographic_minus(f"{rounded:+,.{digits}f}") if rounded else f"{rounded:.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """Format a share (1 = 100 %) as percent."""
    if share is None or _is_absent(share):
        return NOT_AVAILABLE
    return f"{number(100 * share, digits)}%"


def short_digest(digest: str | None) -> str:
    """Return the first 12 characters of a digest, enough to compare by eye."""
    return NOT_AVAILABLE if not digest else digest[:12]


def significant(value: float | None) -> str:
    """Format a number of any size with three significant digits, never in powers of ten; a dash if absent."""
    if value is None or _is_absent(value):
        return NOT_AVAILABLE
    size = abs(value)
    if size >= 100 or value == int(value):
        return number(value, 0)
    digits = 2 - math.floor(math.log10(size))
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return with_typographic_minus(text)


def power_of_ten(value: float) -> str:
    """Return the least power of ten that is not below a small positive number, such as 10⁻¹⁴; "0" for zero."""
    if value <= 0:
        return "0"
    return "10" + str(math.ceil(math.log10(value))).translate(SUPERSCRIPTS)


def duration(seconds: float | None, texts: Texts) -> str:
    """Format a time taken: seconds with a decimal below ten, minutes from one on; a dash if absent."""
    if seconds is None or _is_absent(seconds):
        return NOT_AVAILABLE
    if round(seconds) < 60:
        return texts("seconds_words", seconds=number(seconds, 1 if seconds < 9.95 else 0))
    minutes, rest = divmod(round(seconds), 60)
    return texts("minutes_words", minutes=whole(minutes), seconds=whole(rest))


FORMATS: Mapping[str, Callable[..., str]] = {
    "number": number,
    "whole": whole,
    "signed": signed,
    "percent": percent,
    "short_digest": short_digest,
    "significant": significant,
    "power_of_ten": power_of_ten,
    "duration": duration,
}
"""Filters every template may use on figures."""
