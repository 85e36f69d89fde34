"""Byte masks agree with looking at each byte separately."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.reading.delimited.byte_masks import (
    bits_at,
    counts_before,
    mask_of,
    one_earlier,
    one_later,
    positions_in,
    positions_of,
    running_parity,
    with_bits,
)

# Longer than several words, and likely to have bits at their borders.
texts = st.binary(min_size=1, max_size=400) | st.lists(st.sampled_from(b"aa,"), min_size=1, max_size=400).map(bytes)


def _codes(text: bytes) -> np.ndarray:
    return np.frombuffer(text, dtype=np.uint8)


def _flags(text: bytes) -> list[bool]:
    words = mask_of(_codes(text), ord(","))
    return bits_at(words, np.arange(len(text))).tolist()


@given(texts)
def test_a_mask_marks_exactly_the_equal_bytes(text: bytes) -> None:
    assert _flags(text) == [code == ord(",") for code in text]


@given(texts)
def test_positions_are_those_of_the_equal_bytes_in_order(text: bytes) -> None:
    expected = [position for position, code in enumerate(text) if code == ord(",")]
    assert positions_of(_codes(text), ord(",")).tolist() == expected
    assert positions_in(mask_of(_codes(text), ord(","))).tolist() == expected


def test_positions_are_right_across_blocks() -> None:
    text = b"a" * (2**18 - 1) + b",," + b"a" * 70_000 + b","
    expected = [2**18 - 1, 2**18, len(text) - 1]
    assert positions_of(_codes(text), ord(",")).tolist() == expected
    assert positions_in(mask_of(_codes(text), ord(","))).tolist() == expected


@given(texts)
def test_a_shifted_mask_marks_the_neighbours(text: bytes) -> None:
    words = mask_of(_codes(text), ord(","))
    flags, everywhere = _flags(text), np.arange(len(text))
    assert bits_at(one_later(words), everywhere).tolist() == [False, *flags[:-1]]
    assert bits_at(one_earlier(words), everywhere).tolist() == [*flags[1:], False]


@given(texts)
def test_running_parity_includes_the_byte_itself(text: bytes) -> None:
    parity = running_parity(mask_of(_codes(text), ord(",")))
    expected = [text[: position + 1].count(b",") % 2 == 1 for position in range(len(text))]
    assert bits_at(parity, np.arange(len(text))).tolist() == expected


@given(texts)
def test_counts_before_also_count_at_the_end_of_the_text(text: bytes) -> None:
    borders = np.arange(len(text) + 1)
    expected = [text[:border].count(b",") for border in range(len(text) + 1)]
    assert counts_before(mask_of(_codes(text), ord(",")), borders).tolist() == expected


@given(texts, st.data())
def test_added_bits_keep_the_bits_already_set(text: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(text) - 1))
    words = mask_of(_codes(text), ord(","))
    expected = _flags(text)
    expected[position] = True
    assert bits_at(with_bits(words, np.array([position])), np.arange(len(text))).tolist() == expected
    assert bits_at(words, np.arange(len(text))).tolist() == _flags(text), "the mask given was changed"
