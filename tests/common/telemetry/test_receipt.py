import pytest

from common.telemetry.receipt import MAX_BYTES, ReceiptError, decode_receipt, encode_receipt


def test_a_receipt_reads_as_it_was_written():
    receipt = {"a1b2": [(1, 4711), (4713, 4800)], "c3d4": [(7, 7)]}
    assert decode_receipt(encode_receipt(receipt)) == receipt


def test_ranges_out_of_order_and_touching_are_put_right():
    assert decode_receipt(b'{"e": [[5, 6], [1, 4]]}') == {"e": [(1, 6)]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[1, 2]",
        b'{"e": 3}',
        b'{"e": [[1]]}',
        b'{"e": [[2, 1]]}',
        b'{"e": [[0, 1]]}',
        b'{"e": [[true, 2]]}',
        b'{"e": [["1", "2"]]}',
        b'{"e": [[1, 2.5]]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (MAX_BYTES + 1),
    ],
)
def test_anything_else_is_refused_in_one_line(body):
    with pytest.raises(ReceiptError) as caught:
        decode_receipt(body)
    assert "\n" not in str(caught.value)
