"""The paths behind a signal as a small picture, an SVG that needs no script and prints in black and white."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from features.graph.path_words import path_in_words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from features.graph.path_words import Language
    from features.graph.paths import Path, Tie

MOST_NODES: Final = 12
# Narrow, so that the letters are still ten pixels high on a telephone that is 360 pixels wide.
_WIDTH: Final = 520
_CIRCLE_HEIGHT: Final = 300
# Of a picture with one party in each column, and with more.
_LEAST_HEIGHTS: Final = (150, 200)
_ROW: Final = 56
_MARGIN: Final = (110, 50)
_RADIUS: Final = 9
_LONGEST_NAME: Final = 14
_SAME_PLACE: Final = 1e-9
# Every rule names the picture, because a page that holds it has texts and links of its own.
_STYLE: Final = "".join(
    f".related-parties {rule}"
    for rule in (
        "text{font:14px sans-serif;fill:#1c2733;paint-order:stroke;stroke:#fff;stroke-width:3px}",
        ".link{stroke:#5b6b7a;stroke-width:1.5;fill:none}",
        ".tip{fill:#5b6b7a}",
        ".own{fill:#0f5a70}",
        ".seller{fill:#fff;stroke:#0f5a70;stroke-width:2}",
        ".party{fill:#dde4ea;stroke:#5b6b7a}",
        ".bad{fill:#fff;stroke:#b8410f;stroke-width:4}",
        ".note{fill:#5b6b7a}",
    )
)
_TIP: Final = (9, 4)


def draw_paths(paths: Sequence[Path], seller: str, language: Language, others: frozenset[str] = frozenset()) -> str:
    """Return the picture of a seller's paths, in their order as long as no more than 12 parties are shown.

    The seller is a full circle, other sellers are empty ones, with a thick border if they are in default or paid late.
    Owners, addresses and other parties are squares with what they are. An arrow leads from who holds, uses or
    guarantees. ``others`` are names known to be sellers, besides those that a path reaches.
    """
    drawn = _that_fit(paths)
    ties = tuple(dict.fromkeys(tie for path in drawn for tie in path.ties))
    places, height = _places(ties, seller)
    bad = {path.reaches: _bad(path, language) for path in drawn if path.default_date or path.days_late}
    sellers = {
        seller,
        *others,
        *(path.reaches for path in drawn if path.reaches is not None),
        *_ends_of_guarantees(ties),
    }
    said = "; ".join(path_in_words(path, language) for path in drawn)
    alternative = words_of("picture", "alternative", language).format(seller=seller, paths=said)
    body = [*_links(ties, places, sellers, language)]
    for name, place in places.items():
        note = "" if name in sellers else _roles(name, ties, language)
        note = bad.get(name, note)
        kind = "own" if name == seller else "bad" if name in bad else "seller" if name in sellers else "party"
        body += _node(name, place, kind, note)
    if len(drawn) < len(paths):
        more = words_of("picture", "more", language).format(count=len(paths) - len(drawn))
        body.append(f'<text class="note" x="8" y="{height - 8}">{escape(more)}</text>')
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" class="related-parties" '
        f'role="img" lang="{language}"><title>{escape(alternative)}</title><style>{_STYLE}</style>'
    )
    return "\n".join([head, *body, "</svg>"]) + "\n"


def _bad(path: Path, language: Language) -> str:
    if path.default_date is not None:
        return words_of("picture", "default", language).format(day=path.default_date)
    return words_of("picture", "late", language).format(days=path.days_late)


def _that_fit(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the first paths that together name no more parties than a picture can show."""
    named: set[str] = set()
    kept: list[Path] = []
    for path in paths:
        ends = {end for tie in path.ties for end in (tie.start, tie.end)}
        if len(named | ends) <= MOST_NODES or not kept:
            named |= ends
            kept.append(path)
    return tuple(kept)


def _ends_of_guarantees(ties: Sequence[Tie]) -> set[str]:
    return {end for tie in ties if tie.link_type == "guarantee" for end in (tie.start, tie.end)}


def _roles(party: str, ties: Sequence[Tie], language: Language) -> str:
    kinds = dict.fromkeys(tie.link_type for tie in ties if party in {tie.start, tie.end})
    return ", ".join(words_of("role", kind, language) for kind in kinds)


def _places(ties: Sequence[Tie], seller: str) -> tuple[Mapping[str, tuple[int, int]], int]:
    """Return the place of each party and the height of the picture.

    A circle is drawn on a circle, anything else in columns by its steps from the seller.
    """
    # Only a passport with links needs it: verifying any other is quicker without.
    nx: Any = importlib.import_module("networkx")
    graph: Any = nx.Graph([(tie.start, tie.end) for tie in ties])
    graph.add_node(seller)
    is_circle = all(degree == 2 for _, degree in graph.degree())
    steps = nx.single_source_shortest_path_length(graph, seller)
    columns = [sorted(name for name in graph if steps.get(name, 1) == step) for step in range(max(steps.values()) + 1)]
    found = nx.circular_layout(graph) if is_circle else nx.multipartite_layout(graph, dict(enumerate(columns)))
    most = max(map(len, columns))
    least = _LEAST_HEIGHTS[0] if most == 1 else _LEAST_HEIGHTS[1]
    height = _CIRCLE_HEIGHT if is_circle else max(least, _ROW * (most - 1) + 2 * _MARGIN[1])
    across, down = (_stretched(found, axis, size) for axis, size in enumerate((_WIDTH, height)))
    return {str(name): (across[name], down[name]) for name in found}, height


def _stretched(found: Mapping[Any, NDArray[np.float64]], axis: int, size: int) -> Mapping[Any, int]:
    """Return a coordinate of each party, stretched over the picture; in the middle if all parties have the same."""
    values = {name: float(place[axis]) for name, place in found.items()}
    low, high = min(values.values()), max(values.values())
    room = size - 2 * _MARGIN[axis]
    if high - low < _SAME_PLACE:
        return dict.fromkeys(values, size // 2)
    return {name: round(_MARGIN[axis] + (value - low) / (high - low) * room) for name, value in values.items()}


def _links(
    ties: Sequence[Tie], places: Mapping[str, tuple[int, int]], sellers: set[str], language: Language
) -> Iterator[str]:
    labels: dict[tuple[str, str], list[str]] = {}
    for tie in ties:
        said = labels.setdefault((tie.start, tie.end), [])
        label = " ".join([words_of("label", tie.link_type, language), tie.lender or ""]).strip()
        if label not in said:
            said.append(label)
    for number, ((start, end), said) in enumerate(labels.items()):
        (x1, y1), (x2, y2) = places[start], places[end]
        yield from _arrow(x1, y1, x2, y2)
        has_lender = any(tie.lender for tie in ties if (tie.start, tie.end) == (start, end))
        if not ({start, end} <= sellers or has_lender):  # the party at one end says what it is
            continue
        # Labels at different parts of their lines, so that lines which cross in the middle can be told apart.
        part = 0.35 + 0.1 * (number % 4)
        middle = f'x="{round(x1 + part * (x2 - x1))}" y="{round(y1 + part * (y2 - y1)) - 4}"'
        yield f'<text class="note" text-anchor="middle" {middle}>{escape(", ".join(said))}</text>'


def _arrow(x1: int, y1: int, x2: int, y2: int) -> Iterator[str]:
    """Return a line that ends in a tip before the party it leads to."""
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1.0)
    across, down = (x2 - x1) / length, (y2 - y1) / length
    end_x, end_y = x2 - across * (_RADIUS + 3), y2 - down * (_RADIUS + 3)
    long, half = _TIP
    back_x, back_y = end_x - across * long, end_y - down * long
    sides = [(back_x - down * half * side, back_y + across * half * side) for side in (1, -1)]
    corners = "L".join(f"{x:.1f} {y:.1f}" for x, y in [(end_x, end_y), *sides])
    yield f'<path class="link" d="M{x1} {y1}L{back_x:.1f} {back_y:.1f}"/>'
    yield f'<path class="tip" d="M{corners}z"/>'


def _node(name: str, place: tuple[int, int], kind: str, note: str) -> list[str]:
    x, y = place
    shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    shape = (
        f'<rect class="party" x="{x - _RADIUS + 1}" y="{y - _RADIUS + 1}" width="{2 * _RADIUS - 2}" '
        f'height="{2 * _RADIUS - 2}"/>'
        if kind == "party"
        else f'<circle class="{kind}" cx="{x}" cy="{y}" r="{_RADIUS}"/>'
    )
    lines = [shape, f'<text text-anchor="middle" x="{x}" y="{y + _RADIUS + 16}">{escape(shown)}</text>']
    if note:
        lines.append(f'<text class="note" text-anchor="middle" x="{x}" y="{y + _RADIUS + 32}">{escape(note)}</text>')
    return lines
