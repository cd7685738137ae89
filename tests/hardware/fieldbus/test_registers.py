"""The register map: vectors of the domain notes (H3), word orders, and no overlap."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.ports import PartResult, ResultCode
from hardware.fieldbus import registers
from hardware.fieldbus.blocks import (
    NO_SCORE,
    Counts,
    PlcBlock,
    VisionBlock,
    result_words,
)
from hardware.fieldbus.registers import (
    ADDRESS,
    MAP,
    PLC_WINDOW,
    TO_VISION,
    VISION_WINDOW,
    WORD_ORDERS,
    Control,
    Status,
    decode_u32,
    encode_u32,
)

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
ORDERS = st.sampled_from(WORD_ORDERS)


@pytest.mark.parametrize(
    ("order", "of_float", "of_u32"),
    [
        ("ABCD", [0x42F6, 0xE979], [0x0001, 0x86A0]),
        ("CDAB", [0xE979, 0x42F6], [0x86A0, 0x0001]),
        ("BADC", [0xF642, 0x79E9], [0x0100, 0xA086]),
        ("DCBA", [0x79E9, 0xF642], [0xA086, 0x0100]),
    ],
)
def test_word_orders_as_in_the_vectors(order, of_float, of_u32):
    bits_of_float = struct.unpack(">I", struct.pack(">f", 123.456))[0]
    assert encode_u32(bits_of_float, order) == of_float
    assert encode_u32(100_000, order) == of_u32
    assert decode_u32(of_u32, order) == 100_000


def test_notation_is_one_off_and_says_so():
    assert registers.reference(0) == 40001
    assert registers.reference(1000) == 41001


@settings(max_examples=40, deadline=None)
@given(U32, ORDERS)
def test_u32_round_trip(value, order):
    assert decode_u32(encode_u32(value, order), order) == value


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**40))
def test_u32_wraps_as_counters_and_encoders_do(value):
    assert decode_u32(encode_u32(value)) == value % 2**32


def test_an_unknown_word_order_is_an_error():
    with pytest.raises(ValueError, match="CDAB, ABCD"):
        encode_u32(1, "ACBD")


def test_every_register_lies_in_its_window_and_none_overlap():
    used = [(row, row.address + i) for row in MAP for i in range(row.words)]
    assert len({address for _, address in used}) == len(used)
    for row, address in used:
        assert address in (PLC_WINDOW if row.direction == TO_VISION else VISION_WINDOW)


def test_addresses_are_those_of_the_domain_notes():
    expected = {"CONTROL": 3, "PART_ID": 4, "LINE_SPEED": 12, "STATUS": 101, "SCORE": 105}
    expected |= {"RESULT_PART_ID": 102, "RESULT_PART_ID_COPY": 117, "NORESULT_COUNT": 114}
    assert expected.items() <= ADDRESS.items()
    assert (registers.PLC_WORDS, registers.VISION_WORDS) == (13, 18)


def test_the_challenge_extension_is_documented():
    table = registers.markdown_table()
    assert "15 ChallengeRequest" in table
    assert "4 ChallengeMode" in table
    assert all(row.name in table for row in MAP)
    assert "| 106-107 | 40107 | RESULT_ENCODER u32 |" in table


@settings(max_examples=40, deadline=None)
@given(st.lists(U16, min_size=13, max_size=13), ORDERS)
def test_plc_block_round_trip(words, order):
    words[3] &= 0x3F  # the bits of CONTROL that the map knows
    assert PlcBlock.parse(words, order).words(order) == words


def test_foreign_control_bits_are_ignored():
    words = [0] * 13
    words[3] = 0xFFC2
    assert PlcBlock.parse(words, "CDAB").control == Control.TRIGGER


@pytest.mark.parametrize("count", [0, 12, 14])
def test_a_block_of_another_length_is_an_error(count):
    with pytest.raises(ValueError, match="instead of 13"):
        PlcBlock.parse([0] * count, "CDAB")
    with pytest.raises(ValueError, match="instead of 18"):
        VisionBlock.parse([0] * count, "CDAB")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 65535), st.sampled_from(ResultCode), U32, U32, ORDERS)
def test_result_words_read_back(part_id, code, encoder, passed, order):
    result = PartResult(part_id, code, encoder, 3, 0.75, 42, 9)
    words = result_words(result, Counts(passed, 2, 3), 5, order)
    block = VisionBlock.parse([7, int(Status.ONLINE), *words], order)
    assert (block.part_id, block.part_id_copy, block.code) == (part_id, part_id, code)
    assert (block.encoder, block.counts) == (encoder, Counts(passed, 2, 3))
    assert (block.defect_class, block.score, block.latency_ms) == (3, 750, 42)
    assert (block.error_code, block.recipe_ack, block.heartbeat) == (9, 5, 7)


@pytest.mark.parametrize(
    ("score", "word"),
    [(0.0, 0), (1.0, 1000), (-2.0, 0), (99.0, NO_SCORE - 1), (float("nan"), NO_SCORE)],
)
def test_a_score_never_wraps(score, word):
    words = result_words(PartResult(1, ResultCode.FAIL, score=score), Counts(), 0, "CDAB")
    assert words[3] == word


def test_latency_is_clamped_not_wrapped():
    result = PartResult(1, ResultCode.LATE, latency_ms=70_000)
    assert result_words(result, Counts(), 0, "CDAB")[6] == 0xFFFF
