"""What this project expects of cv_bridge; holds for the stand-in and for the original."""

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from cv_bridge import CvBridge, CvBridgeError
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

HEIGHT, WIDTH = 4, 6


@pytest.fixture
def bridge():
    return CvBridge()


def image_message(encoding, rows, width, is_bigendian=0):
    """A message from rows of bytes, which may be longer than the pixels need."""
    message = Image(height=len(rows), width=width, encoding=encoding, step=len(rows[0]), is_bigendian=is_bigendian)
    message.data.frombytes(b"".join(bytes(row) for row in rows))
    return message


def random_pixels(dtype, channels):
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    rng = np.random.default_rng(7)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, size=shape, dtype=dtype, endpoint=True)


ENCODINGS = [
    *[
        (name, np.uint8, channels)
        for name, channels in [("mono8", 1), ("rgb8", 3), ("bgr8", 3), ("rgba8", 4), ("bgra8", 4)]
    ],
    *[
        (name, np.uint16, channels)
        for name, channels in [("mono16", 1), ("rgb16", 3), ("bgr16", 3), ("rgba16", 4), ("bgra16", 4)]
    ],
    *[(f"bayer_{pattern}8", np.uint8, 1) for pattern in ("rggb", "bggr", "gbrg", "grbg")],
    *[(f"bayer_{pattern}16", np.uint16, 1) for pattern in ("rggb", "bggr", "gbrg", "grbg")],
    ("8UC1", np.uint8, 1),
    ("8UC3", np.uint8, 3),
    ("16UC1", np.uint16, 1),
    ("16SC2", np.int16, 2),
    ("32SC1", np.int32, 1),
    ("32FC1", np.float32, 1),
    ("32FC3", np.float32, 3),
    ("64FC1", np.float64, 1),
    ("yuv422", np.uint8, 2),
    ("yuv422_yuy2", np.uint8, 2),
]


@pytest.mark.parametrize(("encoding", "dtype", "channels"), ENCODINGS)
def test_pixels_survive_the_way_through_a_message(bridge, encoding, dtype, channels):
    pixels = random_pixels(dtype, channels)
    header = Header(frame_id="camera")
    message = bridge.cv2_to_imgmsg(pixels, encoding, header=header)
    assert (message.height, message.width, message.encoding) == (HEIGHT, WIDTH, encoding)
    assert message.step == WIDTH * channels * np.dtype(dtype).itemsize
    assert message.header.frame_id == "camera"
    result = bridge.imgmsg_to_cv2(message)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, pixels)


def test_passthrough_names_the_arrays_type(bridge):
    assert bridge.cv2_to_imgmsg(np.zeros((2, 2), np.uint16)).encoding == "16UC1"
    assert bridge.cv2_to_imgmsg(np.zeros((2, 2, 3), np.uint8)).encoding == "8UC3"


@pytest.mark.parametrize("padding", [1, 2, 13])
def test_padded_rows_are_cut_8_bit_grey(bridge, padding):
    pixels = random_pixels(np.uint8, 1)
    message = image_message("mono8", [row.tobytes() + b"\xee" * padding for row in pixels], WIDTH)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(message), pixels)
    assert bridge.imgmsg_to_cv2(message).flags.c_contiguous


@pytest.mark.parametrize(
    ("encoding", "dtype", "channels"), [("rgb8", np.uint8, 3), ("mono16", np.uint16, 1), ("32FC1", np.float32, 1)]
)
def test_rows_padded_by_whole_pixels_are_cut(bridge, encoding, dtype, channels):
    pixels = random_pixels(dtype, channels)
    pad = b"\xee" * (2 * channels * np.dtype(dtype).itemsize)
    message = image_message(encoding, [row.tobytes() + pad for row in pixels], WIDTH)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(message), pixels)


def test_big_endian_data_is_read_as_such(bridge):
    """The result is in native order. (The original manages this with NumPy 1 only, which its distributions have.)"""
    message = image_message("mono16", [[0x01, 0x02, 0xFF, 0x00]], 2, is_bigendian=1)
    result = bridge.imgmsg_to_cv2(message)
    assert result.dtype.isnative
    np.testing.assert_array_equal(result, [[0x0102, 0xFF00]])


def test_colour_order(bridge):
    rgb = image_message("rgb8", [[10, 20, 30, 40, 50, 60]], 2)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(rgb, "bgr8"), [[[30, 20, 10], [60, 50, 40]]])
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(rgb, "rgb8"), [[[10, 20, 30], [40, 50, 60]]])
    bgra = image_message("bgra8", [[1, 2, 3, 255]], 1)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(bgra, "rgb8"), [[[3, 2, 1]]])
    grey = image_message("mono8", [[7, 9]], 2)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(grey, "rgb8"), [[[7, 7, 7], [9, 9, 9]]])


def test_grey_weighs_the_colours_by_their_names(bridge):
    """Red, green and blue count 0.299, 0.587, 0.114, whatever order they are stored in."""
    rgb = image_message("rgb8", [[255, 0, 0, 0, 255, 0, 0, 0, 255]], 3)
    bgr = image_message("bgr8", [[0, 0, 255, 0, 255, 0, 255, 0, 0]], 3)
    for message in (rgb, bgr):
        np.testing.assert_array_equal(bridge.imgmsg_to_cv2(message, "mono8"), [[76, 150, 29]])


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_bayer_patterns_give_the_colours_they_name(bridge, pattern, bits, dtype):
    """A uniformly coloured scene seen through the pattern gets its colour back, away from the border."""
    colour = {"r": 200, "g": 120, "b": 40}
    mosaic = np.zeros((8, 8), dtype)
    for index, name in enumerate(pattern):
        mosaic[index // 2 :: 2, index % 2 :: 2] = colour[name]
    message = bridge.cv2_to_imgmsg(mosaic, f"bayer_{pattern}{bits}")
    inner = bridge.imgmsg_to_cv2(message, f"rgb{bits}")[2:-2, 2:-2]
    np.testing.assert_array_equal(inner.reshape(-1, 3), np.tile([200, 120, 40], (16, 1)))


def test_yuv422_is_uyvy(bridge):
    """U, Y, V, Y: with U and V in the middle the picture is grey."""
    message = image_message("yuv422", [[128, 16, 128, 235]], 2)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(message, "bgr8"), [[[0, 0, 0], [255, 255, 255]]])
    message = image_message("yuv422_yuy2", [[16, 128, 235, 128]], 2)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(message, "mono8"), [[16, 235]])


def test_change_of_depth_scales_the_full_range(bridge):
    deep = bridge.cv2_to_imgmsg(np.array([[0, 128, 32896, 65534, 65535]], np.uint16), "mono16")
    result = bridge.imgmsg_to_cv2(deep, "mono8")
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, [[0, 0, 128, 255, 255]])
    shallow = bridge.cv2_to_imgmsg(np.array([[0, 1, 255]], np.uint8), "mono8")
    result = bridge.imgmsg_to_cv2(shallow, "mono16")
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result, [[0, 257, 65535]])


def test_colour_and_depth_change_together(bridge):
    message = bridge.cv2_to_imgmsg(np.array([[[65535, 0, 257]]], np.uint16), "rgb16")
    result = bridge.imgmsg_to_cv2(message, "bgr8")
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, [[[1, 0, 255]]])


def test_depth_images_become_float_without_scaling(bridge):
    message = bridge.cv2_to_imgmsg(np.array([[0, 1500]], np.uint16), "16UC1")
    result = bridge.imgmsg_to_cv2(message, "32FC1")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[0.0, 1500.0]])


def test_unknown_encoding_is_refused(bridge):
    message = image_message("mono8", [[0, 0]], 2)
    message.encoding = "sepia8"
    with pytest.raises(CvBridgeError, match="sepia8"):
        bridge.imgmsg_to_cv2(message)


def test_pixels_without_colour_do_not_become_colour(bridge):
    """Nothing says which channel of 8UC3 is red."""
    with pytest.raises(CvBridgeError):
        bridge.imgmsg_to_cv2(image_message("8UC3", [[1, 2, 3]], 1), "bgr8")


def test_channels_do_not_appear(bridge):
    with pytest.raises(CvBridgeError):
        bridge.imgmsg_to_cv2(image_message("8UC1", [[1, 2, 3]], 3), "8UC3")


def test_truncated_data_is_refused(bridge):
    message = image_message("rgb8", [[1, 2, 3, 4, 5, 6]] * 3, 2)
    message.height = 4
    with pytest.raises(TypeError):  # CvBridgeError is one
        bridge.imgmsg_to_cv2(message)


def test_encoding_must_fit_the_array(bridge):
    with pytest.raises(CvBridgeError, match="rgb8"):
        bridge.cv2_to_imgmsg(np.zeros((2, 2), np.uint8), "rgb8")
    with pytest.raises(TypeError):
        bridge.cv2_to_imgmsg([[1, 2]], "mono8")


def colour_gradient():
    ramp = np.linspace(0, 255, 32, dtype=np.uint8)
    return np.dstack([np.tile(ramp, (32, 1)), np.tile(ramp[:, None], (1, 32)), np.full((32, 32), 90, np.uint8)])


def test_png_keeps_every_pixel(bridge):
    bgr = colour_gradient()
    message = bridge.cv2_to_compressed_imgmsg(bgr, "png")
    assert message.format == "png"
    np.testing.assert_array_equal(bridge.compressed_imgmsg_to_cv2(message), bgr)
    np.testing.assert_array_equal(bridge.compressed_imgmsg_to_cv2(message, "rgb8"), bgr[..., ::-1])


def test_jpeg_is_the_default_and_close(bridge):
    bgr = colour_gradient()
    message = bridge.cv2_to_compressed_imgmsg(bgr)
    assert message.format == "jpg"
    assert bytes(message.data[:3]) == b"\xff\xd8\xff"
    result = bridge.compressed_imgmsg_to_cv2(message, "bgr8")
    assert np.abs(result.astype(int) - bgr).mean() < 3
    grey = bridge.compressed_imgmsg_to_cv2(message, "mono8")
    assert np.abs(grey.astype(int) - cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)).mean() < 3


def test_data_that_is_no_image(bridge):
    message = CompressedImage(format="jpeg")
    message.data.frombytes(b"this is no image at all")
    assert bridge.compressed_imgmsg_to_cv2(message) is None
    assert bridge.compressed_imgmsg_to_cv2(message, "bgr8") is None
    with pytest.raises(CvBridgeError):
        bridge.compressed_imgmsg_to_cv2(message, "rgb8")


def test_a_grey_file_stays_grey(bridge):
    """Asking for bgr8 does not add channels, and asking for another encoding fails: look at the dimensions."""
    message = bridge.cv2_to_compressed_imgmsg(np.full((4, 6), 9, np.uint8), "png")
    assert bridge.compressed_imgmsg_to_cv2(message).shape == (4, 6)
    assert bridge.compressed_imgmsg_to_cv2(message, "bgr8").shape == (4, 6)
    with pytest.raises(CvBridgeError):
        bridge.compressed_imgmsg_to_cv2(message, "mono8")
