"""Every usual encoding, Bayer mosaics, 16 bits, files; rectified cameras; what a message may not make the node do."""

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from interpose_ros.ros.conversions import (
    MAX_FRAME_LENGTH,
    camera_from_message,
    image_from_message,
    keyframe_id_from_header,
    rectified_camera_from_message,
)
from interpose_ros.ros.depth import _check
from interpose_ros.ros.image_pixels import size_of_file

from .running_node import info_message

HEIGHT, WIDTH = 48, 64


def smooth() -> np.ndarray:
    """An image without fine detail, which Bayer interpolation keeps."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    channels = [128 + 100 * np.sin(3 * x + k) * np.cos(2 * y - k) for k in range(3)]
    return np.stack(channels, -1).astype(np.uint8)


RGB = smooth()
GREY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)
PATTERNS = ["rggb", "bggr", "gbrg", "grbg"]


def mosaic(pattern: str) -> np.ndarray:
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    for k, colour in enumerate(pattern):
        y, x = divmod(k, 2)
        found[y::2, x::2] = RGB[y::2, x::2, "rgb".index(colour)]
    return found


def message(encoding: str, pixels: np.ndarray, big: bool = False) -> Image:
    stored = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    height, width = pixels.shape[:2]
    data = stored.tobytes()
    return Image(
        encoding=encoding, height=height, width=width, step=len(data) // height, is_bigendian=int(big), data=data
    )


def error(found: np.ndarray, wanted: np.ndarray) -> float:
    inner = (slice(2, -2), slice(2, -2))
    return float(np.abs(found[inner].astype(int) - wanted[inner]).max())


@pytest.mark.parametrize(
    ("encoding", "pixels", "wanted"),
    [
        ("rgb8", RGB, RGB),
        ("bgr8", RGB[..., ::-1], RGB),
        ("8UC3", RGB[..., ::-1], RGB),
        ("rgba8", np.dstack([RGB, GREY]), RGB),
        ("bgra8", np.dstack([RGB[..., ::-1], GREY]), RGB),
        ("8UC4", np.dstack([RGB[..., ::-1], GREY]), RGB),
        ("mono8", GREY, np.dstack([GREY] * 3)),
        ("8UC1", GREY, np.dstack([GREY] * 3)),
    ],
)
def test_encodings_of_8_bits_are_exact(encoding, pixels, wanted):
    np.testing.assert_array_equal(image_from_message(message(encoding, np.ascontiguousarray(pixels))), wanted)


def padded(made: Image, padding: int) -> Image:
    """The same image with rows that are longer than their pixels; what fills them must not be seen."""
    rows = np.frombuffer(made.data, np.uint8).reshape(made.height, made.step)
    filled = np.hstack([rows, np.full((made.height, padding), 255, np.uint8)])
    made.step, made.data = filled.shape[1], filled.tobytes()
    return made


@pytest.mark.parametrize("padding", [1, 4, 24, 61])
@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("rgba8", np.dstack([RGB, GREY])),
        ("bgra8", np.dstack([RGB[..., ::-1], GREY])),
        ("8UC3", RGB[..., ::-1]),
        ("8UC4", np.dstack([RGB[..., ::-1], GREY])),
        ("mono8", GREY),
        ("mono16", GREY.astype(np.uint16) << 4),
        ("rgb16", RGB.astype(np.uint16) << 4),
        ("bgra16", np.dstack([RGB[..., ::-1], GREY]).astype(np.uint16) << 4),
        ("16UC3", RGB[..., ::-1].astype(np.uint16) << 4),
        ("bayer_rggb8", mosaic("rggb")),
        ("bayer_gbrg16", mosaic("gbrg").astype(np.uint16) << 4),
        ("yuyv", np.dstack([GREY, np.full_like(GREY, 128)])),
    ],
)
def test_padding_of_rows_is_left_out(encoding, pixels, padding):
    pixels = np.ascontiguousarray(pixels)
    for big in (False, True) if pixels.dtype == np.uint16 else (False,):
        packed = message(encoding, pixels, big)
        wanted = image_from_message(packed)
        assert error(wanted, np.dstack([GREY] * 3) if encoding in ("mono8", "mono16", "yuyv") else RGB) < 25
        np.testing.assert_array_equal(image_from_message(padded(packed, padding)), wanted)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_bayer_mosaics_are_colours(pattern, bits):
    pixels = mosaic(pattern) if bits == 8 else mosaic(pattern).astype(np.uint16) << (bits - 8)
    found = image_from_message(message(f"bayer_{pattern}{8 if bits == 8 else 16}", pixels))
    assert error(found, RGB) < 12


@pytest.mark.parametrize("encoding", ["mono16", "rgb16", "bgr16", "rgba16", "bgra16", "16UC3"])
@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("big", [False, True])
def test_16_bits_keep_their_8_highest(encoding, bits, big):
    colours = {"mono16": GREY, "rgb16": RGB, "bgr16": RGB[..., ::-1], "16UC3": RGB[..., ::-1]}
    colours["rgba16"], colours["bgra16"] = np.dstack([RGB, GREY]), np.dstack([RGB[..., ::-1], GREY])
    pixels = colours[encoding].astype(np.uint16) << (bits - 8)
    wanted = np.dstack([GREY] * 3) if encoding == "mono16" else RGB
    np.testing.assert_array_equal(image_from_message(message(encoding, pixels, big)), wanted)


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv_is_grey_where_it_has_no_colour(encoding):
    pixels = np.full((HEIGHT, WIDTH, 2), 128, np.uint8)
    pixels[..., 1 if encoding in ("yuv422", "uyvy") else 0] = 180
    found = image_from_message(message(encoding, pixels))
    assert found.shape == (HEIGHT, WIDTH, 3)
    assert np.ptp(found) <= 2
    assert 170 < found.mean() < 200


@pytest.mark.parametrize("name", ["16UC1", "32FC1", "64FC1", "8UC2", "nv99", "ü" * 1000])
def test_what_is_no_image_is_refused_in_a_short_sentence(name):
    with pytest.raises(ValueError, match="cannot be read as colour") as caught:
        image_from_message(message(name, np.zeros((HEIGHT, WIDTH), np.float64)))
    assert len(str(caught.value)) < 500


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def test_files_of_16_bits_and_bayer_files():
    wide = RGB[..., ::-1].astype(np.uint16) << 4
    np.testing.assert_array_equal(image_from_message(CompressedImage(format="rgb16; png", data=png(wide))), RGB)
    grey = image_from_message(
        CompressedImage(format="mono16; png compressed mono16", data=png(GREY.astype(np.uint16) << 2))
    )
    np.testing.assert_array_equal(grey, np.dstack([GREY] * 3))
    stored = CompressedImage(format="bayer_grbg8; png compressed ", data=png(mosaic("grbg")))
    assert error(image_from_message(stored), RGB) < 12
    # A mosaic that image_transport turned into colours before it compressed them is none any more.
    made = CompressedImage(format="bayer_grbg8; jpeg compressed bgr8", data=png(RGB[..., ::-1]))
    np.testing.assert_array_equal(image_from_message(made), RGB)


def test_rectified_cameras_are_described_by_p():
    info = info_message()
    info.d, info.distortion_model = [0.1, 0.0, 0.0, 0.0, 0.0], "plumb_bob"
    info.p = [200.0, 0, 150, -24, 0, 201, 110, 0, 0, 0, 1, 0]
    camera = rectified_camera_from_message(info)
    np.testing.assert_array_equal(camera.K, [[200, 0, 150], [0, 201, 110], [0, 0, 1]])
    assert not camera.has_distortion
    info.binning_x = info.binning_y = 2
    assert rectified_camera_from_message(info).width == info.width // 2
    info.p = [0.0] * 12
    with pytest.raises(ValueError, match="P is all zeros"):
        rectified_camera_from_message(info)


def test_names_that_are_kept_are_bounded():
    header = info_message().header
    header.frame_id = "x" * MAX_FRAME_LENGTH
    keyframe_id_from_header(header)
    header.frame_id += "x"
    with pytest.raises(ValueError, match="257 letters: at most 256"):
        keyframe_id_from_header(header)


# --- whatever comes: an image of bounded size, or a ValueError with a sentence


def read_or_refused(read, made):
    """What was read; None where it was refused in a sentence of fair length."""
    try:
        return read(made)
    except ValueError as error:
        text = str(error)
    assert 10 < len(text) < 600
    return None


TEXTS = st.one_of(
    st.sampled_from(
        ["rgb8", "bgr8", "mono8", "mono16", "bayer_rggb8", "bayer_gbrg16", "rgba16", "yuv422", "nv21", "nv12"]
    ),
    st.sampled_from(["8UC1", "8UC3", "8UC4", "16UC1", "16UC3", "32FC1", "64FC4", "8UC999999999", "", "jpeg"]),
    st.text(max_size=30),
)
SIZES = st.one_of(st.integers(0, 40), st.sampled_from([2**16, 2**31, 2**32 - 1]))


@settings(max_examples=250, deadline=None)
@given(TEXTS, SIZES, SIZES, SIZES, st.binary(max_size=4000), st.integers(0, 255))
def test_any_raw_image_is_read_or_refused(encoding, width, height, step, data, big):
    made = Image(encoding=encoding, width=width, height=height, step=step, data=data, is_bigendian=big)
    found = read_or_refused(image_from_message, made)
    assert found is None or found.shape == (height, width, 3)
    read_or_refused(_check, made)


WHOLE = {kind: cv2.imencode(kind, RGB)[1].tobytes() for kind in (".png", ".jpg", ".bmp", ".webp")}


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=6),
    st.integers(0, 5000),
    st.sampled_from(["jpeg", "png", "bayer_rggb8; png compressed ", "bayer_grbg16; png", "", "\0"]),
)
def test_any_file_is_read_or_refused(kind, changes, length, form):
    data = bytearray(WHOLE[kind])
    for place, value in changes:
        data[place % len(data)] = value
    made = CompressedImage(format=form, data=bytes(data[:length] if length < 3000 else data))
    found = read_or_refused(image_from_message, made)
    assert found is None or (found.ndim == 3 and found.dtype == np.uint8)
    read_or_refused(lambda message: size_of_file(bytes(message.data)), made)


NUMBERS = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, -1.0, 1e308, 500.0]))


@settings(max_examples=250, deadline=None)
@given(
    st.lists(NUMBERS, min_size=9, max_size=9),
    st.lists(NUMBERS, min_size=12, max_size=12),
    st.lists(NUMBERS, max_size=15),
    st.one_of(
        st.sampled_from(["plumb_bob", "equidistant", "fisheye", "rational_polynomial", ""]), st.text(max_size=20)
    ),
    st.lists(st.one_of(st.integers(0, 2000), st.just(2**32 - 1)), min_size=8, max_size=8),
)
def test_any_camera_info_is_a_camera_or_refused(k, p, d, model, sizes):
    made = CameraInfo(k=k, p=p, d=d, distortion_model=model, width=sizes[0], height=sizes[1])
    made.binning_x, made.binning_y = sizes[2], sizes[3]
    made.roi.x_offset, made.roi.y_offset, made.roi.width, made.roi.height = sizes[4:]
    for read in (camera_from_message, rectified_camera_from_message):
        camera = read_or_refused(read, made)
        assert camera is None or (min(camera.width, camera.height) > 0 and np.all(np.isfinite(camera.K)))
