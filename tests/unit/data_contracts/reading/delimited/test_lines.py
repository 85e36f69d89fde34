"""Facts about all lines at once agree with reading line by line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from data_contracts.reading.delimited.lines import find_lines, line_facts

pieces = st.sampled_from(['"', '""', ",", "a", "bc", "\r\n", "\n", "\n", "\r", '","', 'x"', "a" * 60])
texts = st.lists(pieces, min_size=1, max_size=120).map("".join)


def _lines(text: str) -> list[str]:
    ended = [line.removesuffix("\r") for line in text.split("\n")]
    # Without a line end after it, the last return ends nothing.
    ended[-1] = text.rsplit("\n", 1)[-1]
    return ended[:-1] if ended[-1] == "" else ended


def _facts(line: str, quote: str | None) -> tuple[int, bool, bool]:
    """Return width, misquoted and unclosed of one line, character by character."""
    width, inside, misquoted = 1, False, False
    for place, character in enumerate(line):
        if character == quote:
            before = line[place - 1] if place else ","
            after = line[place + 1] if place + 1 < len(line) else ","
            misquoted |= (before if not inside else after) not in {",", quote}
            inside = not inside
        width += character == "," and not inside
    return width, misquoted, inside


@given(texts)
def test_lines_end_at_a_line_feed_or_at_a_carriage_return_and_line_feed(text: str) -> None:
    lines = find_lines(text.encode())
    assert [lines.content(line).decode() for line in range(len(lines))] == _lines(text)


@given(texts, st.sampled_from(['"', None]))
def test_each_line_is_classified_as_the_start_of_a_record(text: str, quote: str | None) -> None:
    facts = line_facts(find_lines(text.encode()), ",", quote)
    found = list(zip(facts.widths.tolist(), facts.misquoted.tolist(), facts.unclosed.tolist(), strict=True))
    assert found == [_facts(line, quote) for line in _lines(text)]


@given(texts)
def test_a_carriage_return_inside_a_line_is_found(text: str) -> None:
    facts = line_facts(find_lines(text.encode()), ",", None)
    assert facts.stray_return.tolist() == ["\r" in line for line in _lines(text)]
