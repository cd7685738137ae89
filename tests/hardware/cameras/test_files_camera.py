"""Pictures and videos as a camera: order, ends, and files that are not what they seem."""

import cv2
import numpy as np
import pytest

from common.errors import CameraError
from common.inference.decode import DecodeLimits
from common.ports import Trigger
from hardware.cameras.files import FilesCamera, FilesSettings

PART = Trigger(part_id=7)


def save(path, value, dtype=np.uint8, shape=(32, 40)):
    cv2.imwrite(str(path), np.full(shape, value, dtype))


def shown(camera, count):
    return [int(camera.capture(PART).flat[0]) for _ in range(count)]


def test_pictures_come_in_the_order_of_their_names(tmp_path):
    for name, value in (("b.png", 2), ("a.bmp", 1), ("c.TIFF", 3)):
        save(tmp_path / name, value)
    (tmp_path / "notes.txt").write_text("no picture")
    save(tmp_path / ".hidden.png", 9)
    assert shown(FilesCamera(FilesSettings(path=tmp_path)), 3) == [1, 2, 3]


def test_the_end_is_an_error_unless_looping(tmp_path):
    save(tmp_path / "a.png", 1)
    once = FilesCamera(FilesSettings(path=tmp_path))
    shown(once, 1)
    with pytest.raises(CameraError, match=r"part 7: .* is at its end; set loop = true"):
        once.capture(PART)
    assert shown(FilesCamera(FilesSettings(path=tmp_path, loop=True)), 3) == [1, 1, 1]


def test_a_single_picture_is_a_folder_of_one(tmp_path):
    save(tmp_path / "a.png", 5)
    assert shown(FilesCamera(FilesSettings(path=tmp_path / "a.png", loop=True)), 2) == [5, 5]


BAD = {
    "empty.png": (lambda p: p.write_bytes(b""), "is empty"),
    "text.jpg": (lambda p: p.write_text("hello"), "not a PNG, JPEG, BMP or TIFF"),
    "deep.png": (lambda p: save(p, 300, np.uint16), "16 bits per channel"),
    "alpha.png": (lambda p: save(p, 3, shape=(32, 40, 4)), "alpha channel"),
    "dot.png": (lambda p: save(p, 3, shape=(1, 1)), "1×1 px"),
    "cut.jpg": (lambda p: (save(p, 3), p.write_bytes(p.read_bytes()[:-40])), "cut short"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_named_once_and_the_next_one_follows(tmp_path, name):
    spoil, reason = BAD[name]
    spoil(tmp_path / name)
    save(tmp_path / "z.png", 8)
    camera = FilesCamera(FilesSettings(path=tmp_path))
    with pytest.raises(CameraError, match=f"{name}: .*{reason}"):
        camera.capture(PART)
    assert shown(camera, 1) == [8]


def test_convert_takes_16_bits_and_alpha(tmp_path):
    save(tmp_path / "a.png", 0x1234, np.uint16)
    save(tmp_path / "b.png", 3, shape=(32, 40, 4))
    limits = DecodeLimits(convert=True)
    camera = FilesCamera(FilesSettings(path=tmp_path, decode=limits, colour="grey"))
    assert shown(camera, 2) == [0x12, 3]


def test_a_file_that_is_too_large_is_not_even_read(tmp_path):
    save(tmp_path / "a.bmp", 1)
    camera = FilesCamera(FilesSettings(path=tmp_path, decode=DecodeLimits(max_bytes=100)))
    with pytest.raises(CameraError, match="more than 100 bytes"):
        camera.capture(PART)


def test_what_is_not_there_is_said(tmp_path):
    for path, reason in ((tmp_path / "none", "does not exist"), (tmp_path, "no pictures")):
        with pytest.raises(CameraError, match=reason):
            FilesCamera(FilesSettings(path=path)).capture(PART)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    rng = np.random.default_rng(1)
    for _ in range(20):
        writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    return path


def test_a_video_gives_each_frame_once_and_then_its_end(video):
    camera = FilesCamera(FilesSettings(path=video))
    frames = [camera.capture(PART) for _ in range(20)]
    assert frames[0].shape == (48, 64, 3)
    with pytest.raises(CameraError, match="is at its end"):
        camera.capture(PART)
    camera.close()
    assert np.array_equal(camera.capture(PART), frames[0])
    camera.close()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda _: b"", "the video is empty"),
        (lambda _: b"no video at all", "cannot be read as a video"),
        (lambda data: data[: len(data) // 2], "cut short"),
    ],
)
def test_a_bad_video_is_named(video, spoil, reason):
    video.write_bytes(spoil(video.read_bytes()))
    camera = FilesCamera(FilesSettings(path=video))
    with pytest.raises(CameraError, match=f"video.avi: .*{reason}"):
        shown(camera, 20)
    camera.close()
