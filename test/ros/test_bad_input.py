"""Bad input through the real node: each is refused with its reason, and the next good pair of that camera is right."""

import io
import itertools
import math

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from PIL import Image as PillowImage
from rclpy.qos import QoSProfile
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage

from interpose_ros.msg import RelativePose
from interpose_ros.srv import GetRelativePose, ListKeyframes

from . import room
from .running_node import ANSWER, DISCOVERY, RunningNode, assert_no_pose, image_message, info_message, name

YAW_DEG = 12.0
BAD_INPUT, CAMERA_INFO = RelativePose.STATUS_REFUSED_BAD_INPUT, RelativePose.STATUS_REFUSED_CAMERA_INFO


def picture(k: int) -> np.ndarray:
    R_w_c = Rotation.from_euler("y", YAW_DEG * k, degrees=True).as_matrix()
    return room.picture(R_w_c, np.array([0.5 * k, 0.1 * k, -1.0]))


PICTURES = [picture(0), picture(1)]
T_0_1_DIRECTION = np.array([0.5, 0.1, 0.0]) / math.hypot(0.5, 0.1)
cases = itertools.count()


class Camera:
    """One camera of the running node, with a frame of its own, so that cases cannot help each other."""

    def __init__(self, running: RunningNode) -> None:
        self.running = running
        self.frame = f"camera_{next(cases)}"

    def answers(self) -> list[RelativePose]:
        return [pose for pose in self.running.poses if pose.keyframe_b.frame_id == self.frame]

    def send_info(self, message: CameraInfo | None = None) -> None:
        message = message or info_message()
        message.header.frame_id = self.frame
        self.running.infos.publish(message)

    def send(self, message) -> None:
        message.header.frame_id = self.frame
        self.running.images.publish(message)

    def send_picture(self, second: int, k: int = 0) -> None:
        self.send(image_message(second, PICTURES[k]))

    def next_answer(self, seen: int) -> RelativePose:
        self.running.wait_for(lambda: len(self.answers()) > seen, ANSWER, f"answer of {self.frame}")
        return self.answers()[seen]

    def expect_refusal(self, status: int, words: str, second: int) -> None:
        """The latest answer so far, and the only one about this keyframe, is this refusal."""
        refused = next((p for p in self.answers() if p.keyframe_b.stamp.sec == second), None)
        if refused is None:
            refused = self.next_answer(len(self.answers()))
        assert_no_pose(refused)
        assert refused.status == status, refused.reason
        assert words in refused.reason
        assert refused.keyframe_b.stamp.sec == second

    def expect_good_pair(self, second: int = 100) -> None:
        """Two good images are answered right; their camera info comes again and again, as one that is sent may be lost."""
        again = self.running.repeat_camera_info(info_message(frame_id=self.frame))
        for k in (0, 1):
            self.send_picture(second + k, k)
        self.running.wait_for(lambda: self._about(second + 1), ANSWER, f"good pair of {self.frame}")
        self.running.node.destroy_timer(again)
        expect_right(self._about(second + 1)[0], self.frame, second)

    def _about(self, second: int) -> list[RelativePose]:
        return [pose for pose in self.answers() if pose.keyframe_b.stamp.sec == second]


def expect_right(message: RelativePose, frame: str, second: int) -> None:
    """The answer about the two pictures, the first taken at ``second``."""
    assert message.status == RelativePose.STATUS_OK, message.reason
    assert message.keyframe_a == name(second, frame)
    q, d = message.pose.pose.orientation, message.translation_direction
    true = Rotation.from_euler("y", YAW_DEG, degrees=True)
    assert np.degrees((Rotation.from_quat([q.x, q.y, q.z, q.w]) * true.inv()).magnitude()) < 2
    assert np.degrees(np.arccos(np.clip([d.x, d.y, d.z] @ T_0_1_DIRECTION, -1, 1))) < 10


@pytest.fixture(scope="module")
def running():
    with RunningNode(autostart=True, camera_info_timeout=4.0) as node:
        node.wait_until_active()
        node.wait_until_heard(image_message(1, PICTURES[0], "first"), info_message(frame_id="first"))
        yield node


@pytest.fixture
def camera(running):
    return Camera(running)


def info_with(**fields) -> CameraInfo:
    message = info_message()
    for field, value in fields.items():
        setattr(message, field, value)
    return message


def outside_roi() -> CameraInfo:
    message = info_message()
    message.roi.x_offset, message.roi.width, message.roi.height = 300, 200, 100
    return message


K_NAN = [math.nan, *room.K.ravel().tolist()[1:]]


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (None, "no camera info of frame"),
        (info_with(k=[0.0] * 9), "K is all zeros"),
        (info_with(k=K_NAN), "K must be a finite 3x3 matrix"),
        (info_with(d=[math.nan] * 5, distortion_model="plumb_bob"), "distortion coefficients must be finite"),
        (info_with(d=[0.1] * 5, distortion_model="mystery"), "distortion model 'mystery' is unknown"),
        (info_with(width=640, height=480), "the image is 320x240 and the camera info of frame"),
        (outside_roi(), "the camera info of frame"),
    ],
    ids=["missing", "zero K", "NaN in K", "NaN in D", "unknown lens", "other size", "roi outside"],
)
def test_camera_info_that_does_not_fit(camera, info, words):
    if info is not None:
        camera.send_info(info)
    camera.send_picture(1)
    camera.expect_refusal(CAMERA_INFO, words, 1)
    camera.expect_good_pair()


def test_camera_info_of_another_frame(camera):
    other = Camera(camera.running)
    other.send_info()
    camera.send_picture(1)
    camera.expect_refusal(CAMERA_INFO, f"no camera info of frame '{camera.frame}': it came for ", 1)
    camera.expect_good_pair()


def test_camera_info_that_comes_late(camera):
    """In time: the image is used. Too late: it has been refused, and later images are used."""
    camera.send_picture(1, 0)
    camera.send_info()
    camera.send_picture(2, 1)
    expect_right(camera.next_answer(0), camera.frame, 1)
    late = Camera(camera.running)
    late.send_picture(1)
    late.expect_refusal(CAMERA_INFO, "waited 4 s", 1)
    late.expect_good_pair()


def changed(**fields):
    message = image_message(1, PICTURES[0])
    for field, value in fields.items():
        setattr(message, field, value)
    return message


@pytest.mark.parametrize(
    ("message", "status", "words"),
    [
        (changed(encoding="nonsense"), BAD_INPUT, "image of encoding 'nonsense' cannot be read as colour"),
        (changed(encoding=""), BAD_INPUT, "cannot be read as colour"),
        (changed(encoding="32FC1", step=4 * room.WIDTH, data=bytes(4 * room.WIDTH * room.HEIGHT)), BAD_INPUT, "32FC1"),
        (changed(data=bytes(1000)), BAD_INPUT, "truncated: 240 rows with a step of 960 are 230400 bytes"),
        (changed(data=b""), BAD_INPUT, "truncated"),
        (changed(step=100), BAD_INPUT, "step"),
        (changed(width=0), BAD_INPUT, "image is empty: 0x240"),
        (changed(width=4_000_000_000, height=4_000_000_000), BAD_INPUT, "too large: at most 64 megapixels"),
        (image_message(1, PICTURES[0][:1, :1]), CAMERA_INFO, "the image is 1x1"),
    ],
    ids=["encoding", "no encoding", "depth image", "truncated", "no data", "step", "empty", "gigantic", "1x1"],
)
def test_image_that_cannot_be_used(camera, message, status, words):
    camera.send_info()
    camera.send(message)
    camera.expect_refusal(status, words, 1)
    camera.expect_good_pair()


def test_one_pixel_with_its_camera_info(camera):
    camera.send_info(info_with(width=1, height=1))
    camera.send(image_message(1, PICTURES[0][:1, :1]))
    camera.expect_refusal(BAD_INPUT, "image of 1x1 is too small", 1)
    camera.expect_good_pair()


def test_padded_rows_are_understood(camera):
    camera.send_info()
    for k, pixels in enumerate(PICTURES):
        rows = np.full((room.HEIGHT, 3 * room.WIDTH + 40), 77, np.uint8)
        rows[:, : 3 * room.WIDTH] = pixels.reshape(room.HEIGHT, -1)
        message = image_message(k + 1, pixels)
        message.step, message.data = rows.shape[1], rows.tobytes()
        camera.send(message)
    expect_right(camera.next_answer(0), camera.frame, 1)


@pytest.mark.parametrize("field", ["nanosec", "frame_id"])
def test_header_that_names_no_keyframe(camera, field):
    message = image_message(1, PICTURES[0])
    message.header.frame_id = camera.frame
    seen = len(camera.running.poses)
    if field == "nanosec":
        message.header.stamp.nanosec = 10**9
        words = f"image of frame '{camera.frame}': header.stamp.nanosec is 1000000000"
    else:
        message.header.frame_id = ""
        words = "header.frame_id is empty"
    camera.running.images.publish(message)

    def refused():
        return [p for p in camera.running.poses[seen:] if words in p.reason]

    camera.running.wait_for(refused, ANSWER, "refusal")
    assert_no_pose(refused()[0])
    assert refused()[0].status == BAD_INPUT
    camera.expect_good_pair()


def test_the_same_keyframe_twice_with_other_content(camera):
    camera.send_info()
    camera.send_picture(1, 0)
    camera.send_picture(1, 1)
    camera.expect_refusal(BAD_INPUT, "came twice with different content: stamps must be unique per camera", 1)
    camera.send_picture(1, 0)  # the very same again is nothing new
    camera.send_picture(2, 1)
    expect_right(camera.next_answer(1), camera.frame, 1)  # with the first content
    camera.expect_good_pair()


def test_stamps_that_jump_back(camera):
    """Of one camera alone: no reason to forget anything, and said in the log and the diagnostics."""
    camera.expect_good_pair(100)
    camera.expect_good_pair(50)
    held = camera.running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request(frame_id=camera.frame))
    assert [keyframe.stamp.sec for keyframe in held.keyframes] == [100, 101, 50, 51]

    def counted():
        values = {v.key: v.value for d in camera.running.diagnostics for s in d.status for v in s.values}
        return int(values.get("keyframes_out_of_order", "0")) >= 2

    camera.running.wait_for(counted, ANSWER, "count of stamps that jumped back")


def test_after_all_that_the_node_answers_and_has_counted(running):
    missing = GetRelativePose.Request(keyframe_a=name(1, "nowhere"), keyframe_b=name(2, "nowhere"))
    response = running.call(GetRelativePose, "get_relative_pose", missing)
    assert response.code == GetRelativePose.Response.CODE_UNKNOWN_KEYFRAME
    refused = [pose.status for pose in running.poses if pose.status != RelativePose.STATUS_OK]
    count = len(running.diagnostics)
    running.wait_for(lambda: len(running.diagnostics) > count, ANSWER, "diagnostics")
    values = {v.key: v.value for v in running.diagnostics[-1].status[0].values}
    for status, key in ((BAD_INPUT, "answers_refused_bad_input"), (CAMERA_INFO, "answers_refused_camera_info")):
        assert int(values[key]) == refused.count(status)


# --- files instead of raw pixels


def jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def file_message(second: int, data: bytes) -> CompressedImage:
    message = CompressedImage(format="jpeg", data=data)
    message.header.stamp.sec = second
    return message


@pytest.fixture(scope="module")
def running_compressed():
    with RunningNode(autostart=True, image_transport="compressed", use_frames=False) as node:
        node.node.destroy_publisher(node.images)
        node.images = node.node.create_publisher(CompressedImage, "keyframe/image/compressed", QoSProfile(depth=50))
        node.wait_until_active()
        first = file_message(1, jpeg(PICTURES[0]))
        first.header.frame_id = "first"
        node.wait_until_heard(first, info_message(frame_id="first"))
        yield node


class FileCamera(Camera):
    """Sends JPEG files."""

    def send_picture(self, second: int, k: int = 0) -> None:
        self.send(file_message(second, jpeg(PICTURES[k])))


def blank_of(width: int, height: int) -> bytes:
    data = io.BytesIO()
    PillowImage.new("L", (width, height)).save(data, "JPEG")
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be decoded"),
        (b"no image at all", "cannot be decoded: send JPEG or PNG"),
        (jpeg(PICTURES[0])[:5000], "truncated"),
        (blank_of(10000, 8000), "image of 10000x8000 is too large: at most 64 megapixels"),
    ],
    ids=["empty", "text", "truncated", "80 megapixels"],
)
def test_file_that_cannot_be_used(running_compressed, data, words):
    camera = FileCamera(running_compressed)
    camera.send_info()
    camera.send(file_message(1, data))
    camera.expect_refusal(BAD_INPUT, words, 1)
    camera.expect_good_pair()


def test_8k_images_are_answered(running_compressed):
    camera = FileCamera(running_compressed)
    factor, crop = 24, 30
    size = (factor * room.WIDTH, factor * (room.HEIGHT - 2 * crop))
    assert size == (7680, 4320)
    K = room.K.copy()
    K[1, 2] -= crop
    K[0, 0], K[1, 1] = factor * K[0, 0], factor * K[1, 1]
    K[:2, 2] = factor * (K[:2, 2] + 0.5) - 0.5
    camera.send_info(info_with(width=size[0], height=size[1], k=K.ravel().tolist()))
    for k, pixels in enumerate(PICTURES):
        large = cv2.resize(pixels[crop:-crop], size, interpolation=cv2.INTER_LINEAR)
        camera.send(file_message(k + 1, jpeg(large)))
    camera.running.wait_for(camera.answers, DISCOVERY + ANSWER, "answer about 8K images")
    expect_right(camera.answers()[0], camera.frame, 1)
    camera.expect_good_pair()
