"""Strict decoding: what is doubtful is refused with its reason, whatever the bytes."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import LinesideError
from common.inference.decode import DecodeLimits, ImageRefused, decode_image

RNG = np.random.default_rng(3)
GREY = cv2.GaussianBlur(RNG.integers(0, 256, (60, 80), np.uint8), (0, 0), 2)
COLOUR = cv2.merge([GREY, GREY[::-1].copy(), GREY[:, ::-1].copy()])
ALPHA = np.dstack([COLOUR, GREY])
USUAL = DecodeLimits()
LOSSLESS = (".png", ".bmp", ".tiff")


def encoded(kind, picture, *parameters):
    ok, data = cv2.imencode(kind, picture, parameters)
    assert ok
    return data.tobytes()


def refusal(data, limits=USUAL):
    with pytest.raises(ImageRefused) as caught:
        decode_image(data, limits)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, LinesideError)
    text = str(caught.value)
    assert text.startswith("the picture ")
    assert "\n" not in text
    return text


def png(width, height, depth=8, colour=0, raw=b"", extra=()):
    """A PNG by hand, with true checksums."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
def test_lossless_pictures_come_through_unchanged(kind, picture):
    assert np.array_equal(decode_image(encoded(kind, picture)), picture)


@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("progressive", [0, 1])
def test_jpeg_comes_through_as_grey_or_bgr(picture, progressive):
    data = encoded(".jpg", picture, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    decoded = decode_image(data)
    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - picture).mean() < 6


@pytest.mark.parametrize("kind", [".png", ".jpg", ".bmp", ".tiff"])
@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=40, deadline=None)
def test_no_cut_short_picture_is_ever_decoded(kind, share):
    data = encoded(kind, COLOUR)
    refusal(data[: int(share * len(data))])


@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("progressive", [0, 1])
@given(share=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_cut_short_jpeg_with_an_end_mark_put_on_is_seen_through(picture, progressive, share):
    data = encoded(".jpg", picture, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    end = data.rindex(b"\xff\xda") if progressive else int(0.95 * len(data))
    refusal(data[: int(share * end)] + b"\xff\xd9")


def test_an_honest_grey_corner_is_not_taken_for_a_cut():
    data = encoded(".jpg", np.full((64, 64), 128, np.uint8))
    assert (decode_image(data) == 128).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty (0 bytes)"),
        (b"GIF89a" + bytes(50), "not a PNG, JPEG, BMP or TIFF"),
        (encoded(".png", GREY[:1, :1]), "1×1 px, a side is under 16"),
        (png(60_000, 60_000), "more than the 25000000 allowed in all"),
        (png(0, 40), "0×40 px"),
        (encoded(".png", GREY.astype(np.uint16) * 257), "16 bits per channel; save it with 8"),
        (encoded(".tiff", GREY.astype(np.uint16)), "16 bits per channel"),
        (encoded(".tiff", GREY.astype(np.float32)), "neither grey nor RGB in whole numbers"),
        (encoded(".png", ALPHA), "alpha channel; save it without"),
        (encoded(".tiff", ALPHA), "alpha channel"),
        (encoded(".bmp", ALPHA), "alpha channel"),
        (png(20, 20, raw=bytes(21 * 20), extra=[(b"tRNS", b"\0\0")]), "alpha channel"),
        (png(20, 20, raw=bytes(200)), "data cannot be decoded"),
        (png(20, 20, colour=5), "unknown colour type 5"),
        (png(20, 20, extra=[(b"tEXt", b"")] * 200_000), "over 100000 parts"),
        (b"\xff\xd8" + b"\xff\xe0\0\2" * 200_000, "over 100000 parts"),
        (cv2.imencodemulti(".tiff", [GREY, GREY])[1].tobytes(), "several pages"),
    ],
)  # fmt: skip
def test_each_refusal_names_its_reason(data, reason):
    assert reason in refusal(data)


def test_the_number_of_bytes_is_limited():
    data = encoded(".png", GREY)
    assert f"has {len(data)} bytes" in refusal(data, DecodeLimits(max_bytes=len(data) - 1))
    decode_image(data, DecodeLimits(max_bytes=len(data)))


@pytest.mark.parametrize("kind", [".png", ".tiff"])
def test_convert_takes_the_high_byte_of_16_bits(kind):
    data = encoded(kind, (GREY.astype(np.uint16) << 8) | 77)
    assert np.array_equal(decode_image(data, DecodeLimits(convert=True)), GREY)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_convert_drops_alpha(kind):
    decoded = decode_image(encoded(kind, ALPHA), DecodeLimits(convert=True))
    assert np.array_equal(decoded, COLOUR)


def test_convert_makes_grey_of_grey_with_alpha():
    raw = b"".join(b"\0" + bytes([9, 255] * 20) for _ in range(20))
    decoded = decode_image(png(20, 20, colour=4, raw=raw), DecodeLimits(convert=True))
    assert decoded.shape == (20, 20)
    assert (decoded == 9).all()


def test_bmp_stored_from_the_top_and_palette_png_are_taken():
    data = bytearray(encoded(".bmp", COLOUR))
    data[22:26] = struct.pack("<i", -60)
    assert np.array_equal(decode_image(bytes(data)), COLOUR[::-1])
    palette = png(20, 20, colour=3, raw=bytes(21 * 20), extra=[(b"PLTE", bytes([1, 2, 3]))])
    assert decode_image(palette)[0, 0].tolist() == [3, 2, 1]


@pytest.mark.parametrize("kind", [".png", ".jpg", ".bmp", ".tiff"])
@given(changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4))
@settings(max_examples=60, deadline=None)
def test_altered_bytes_give_a_picture_or_a_refusal_and_nothing_else(kind, changes):
    data = bytearray(encoded(kind, GREY))
    for share, value in changes:
        data[int(share * min(len(data), 400))] = value
    try:
        picture = decode_image(bytes(data), DecodeLimits(max_pixels=1_000_000))
    except ImageRefused:
        return
    assert picture.dtype == np.uint8
    assert picture.ndim in (2, 3)


@given(
    start=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*"]),
    rest=st.binary(max_size=200),
)
def test_random_bytes_behind_a_true_start_are_refused(start, rest):
    refusal(start + rest)
