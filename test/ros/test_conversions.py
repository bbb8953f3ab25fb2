"""Messages to views and answers to messages, with numbers."""

import io
import math

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from PIL import Image as PillowImage
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from interpose_ros.answer import Branch, Candidate, Overlap, PairAnswer, Scale, ScaleSource
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.camera import DistortionModel
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.msg import RelativePose
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.ros.conversions import camera_from_message, image_from_message, keyframe_id_from_header
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.publication import edge_of_answer
from interpose_ros.ros.relative_pose import (
    inverse_answer,
    message_from_answer,
    refusal_message,
    rotation_and_direction_a_b,
)
from interpose_ros.selection.confidence import UNCALIBRATED_CONFIDENCE, Confidence
from interpose_ros.views import KeyframeId

from .running_node import assert_no_pose, info_message

A, B = KeyframeId("camera", 1_500_000_000), KeyframeId("camera", 2_000_000_000)
# B stands one metre to the right of A (x of A) and looks 90 degrees to the right: its z axis is A's x axis.
R_A_B = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
R_B_A = R_A_B.T
DIRECTION_B_A = -R_B_A @ np.array([1.0, 0, 0])


def answer(scale=None, confidence=UNCALIBRATED_CONFIDENCE, direction=DIRECTION_B_A, inliers=100) -> PairAnswer:
    covariance = np.diag([0.01, 0.02, 0.03])
    model = MotionModel.ROTATION if direction is None else MotionModel.GENERAL
    estimate = PoseEstimate(R_B_A, direction, model, covariance, 0.1, evidence={"parallax": 0.05})
    candidate = Candidate("matches", None, estimate, confidence, selected=True)
    return PairAnswer(A, B, candidate, None, Branch.MATCHES, Overlap(0.4, 0.6), inliers, (candidate,), scale)


def numbers(message) -> list[float]:
    return [getattr(message, field) for field in message.get_fields_and_field_types()]


def test_messages_carry_camera_b_in_camera_a():
    R_a_b, direction_a_b = rotation_and_direction_a_b(R_B_A, DIRECTION_B_A)
    np.testing.assert_allclose(R_a_b, R_A_B)
    np.testing.assert_allclose(direction_a_b, [1, 0, 0], atol=1e-12)
    message = message_from_answer(answer(Scale(ScaleSource.ODOMETRY, 2.0, 0.1)), "a", "b", True)
    half = math.sqrt(0.5)
    np.testing.assert_allclose(numbers(message.pose.pose.orientation), [0, half, 0, half], atol=1e-12)
    np.testing.assert_allclose(numbers(message.pose.pose.position), [2, 0, 0], atol=1e-12)
    np.testing.assert_allclose(numbers(message.translation_direction), [1, 0, 0], atol=1e-12)
    # Errors about B's x and z axes are errors about A's -z and x axes.
    covariance = np.reshape(message.pose.covariance, (6, 6))
    np.testing.assert_allclose(np.diag(covariance), [0.01, 0.02, 0.02, 0.03, 0.02, 0.01], atol=1e-12)
    assert message.status == RelativePose.STATUS_OK
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_000)


def test_without_scale_position_is_nan_and_direction_stands():
    message = message_from_answer(answer(), "a", "b", False)
    assert np.all(np.isnan(numbers(message.pose.pose.position)))
    assert message.scale_source == RelativePose.SCALE_NONE
    assert math.isnan(message.scale_stddev)
    np.testing.assert_allclose(numbers(message.translation_direction), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.reshape(message.pose.covariance, (6, 6))[:3, :3], 9999 * np.eye(3))
    rotation_only = message_from_answer(answer(direction=None), "a", "b", False)
    assert np.all(np.isnan(numbers(rotation_only.translation_direction)))


def test_inverse_of_an_answer():
    message = message_from_answer(inverse_answer(answer()), "b", "a", False)
    np.testing.assert_allclose(
        Rotation.from_quat(numbers(message.pose.pose.orientation)).as_matrix(), R_B_A, atol=1e-12
    )
    np.testing.assert_allclose(numbers(message.translation_direction), DIRECTION_B_A, atol=1e-12)
    assert (message.overlap_a, message.overlap_b) == (0.6, 0.4)
    np.testing.assert_allclose(np.diag(np.reshape(message.pose.covariance, (6, 6)))[3:], [0.01, 0.02, 0.03])
    assert message.keyframe_a.stamp.sec == 2


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_refusals_hold_no_pose(reason):
    refusal = Refusal(reason, "because")
    assert_no_pose(refusal_message(A, B, refusal))
    refused = PairAnswer(A, B, None, refusal, Branch.NONE, Overlap(0.0, 0.0), 0)
    message = message_from_answer(refused, "a", "b", False)
    assert_no_pose(message)
    assert message.status == getattr(RelativePose, f"STATUS_REFUSED_{reason.name}")


def test_edges_need_confidence_and_scale():
    sure, unsure = (Confidence(p, p, p, "test") for p in (0.97, 0.9))
    unit, metric = NodeConfig(unscaled_tf="unit"), Scale(ScaleSource.ODOMETRY, 2.0, 0.1)
    assert edge_of_answer(answer(confidence=sure), NodeConfig()) is None
    assert edge_of_answer(answer(confidence=unsure), unit) is None
    assert edge_of_answer(answer(), unit) is None
    allowed = NodeConfig(unscaled_tf="unit", uncalibrated_tf=True, uncalibrated_min_inliers=100)
    assert edge_of_answer(answer(), allowed) is not None
    assert edge_of_answer(answer(inliers=99), allowed) is None
    np.testing.assert_allclose(edge_of_answer(answer(confidence=sure), unit).t_parent_child, [1, 0, 0], atol=1e-12)
    edge = edge_of_answer(answer(metric, sure), NodeConfig())
    np.testing.assert_allclose(edge.t_parent_child, [2, 0, 0], atol=1e-12)
    np.testing.assert_allclose(edge.R_parent_child, R_A_B)
    assert (edge.parent, edge.child) == (A, B)


def test_padded_rows_and_colours():
    pixels = np.random.default_rng(0).integers(0, 255, (4, 5, 3), np.uint8)
    rows = np.zeros((4, 20), np.uint8)
    rows[:, :15] = pixels[..., ::-1].reshape(4, 15)
    message = Image(encoding="bgr8", height=4, width=5, step=20, data=rows.tobytes())
    np.testing.assert_array_equal(image_from_message(message), pixels)


def test_compressed_image_is_rgb():
    pixels = np.zeros((40, 50, 3), np.uint8)
    pixels[..., 0] = 255
    data = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(image_from_message(CompressedImage(format="png", data=data)), pixels)


def test_jpeg_is_rgb_with_its_exif_turn_left_alone():
    pixels = np.full((40, 56, 3), (200, 100, 30), np.uint8)
    data = io.BytesIO()
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    PillowImage.fromarray(pixels).save(data, "JPEG", quality=95, exif=exif)
    found = image_from_message(CompressedImage(format="jpeg", data=data.getvalue()))
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - pixels).max() <= 3


@pytest.mark.parametrize("kind", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files_are_named(kind, share):
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    data = cv2.imencode(kind, pixels)[1].tobytes()
    with pytest.raises(ValueError, match=r"truncated|damaged|cannot be decoded"):
        image_from_message(CompressedImage(format=kind, data=data[: int(len(data) * share)]))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Image(encoding="rgb8", height=4, width=5, step=15, data=bytes(59)), "truncated"),
        (Image(encoding="rgb8", height=4, width=5, step=14, data=bytes(60)), "step"),
        (Image(encoding="32FC1", height=1, width=1, step=4, data=bytes(4)), "32FC1"),
        (Image(encoding="rgb8", height=100_000, width=100_000), "too large"),
        (Image(encoding="rgb8"), "empty"),
        (CompressedImage(format="jpeg", data=b"no image"), "cannot be decoded"),
    ],
)
def test_bad_images_are_named(message, words):
    with pytest.raises(ValueError, match=words):
        image_from_message(message)


def test_camera_info():
    message = info_message()
    message.distortion_model, message.d = "plumb_bob", [0.1, 0.01, 0.0, 0.0, 0.0]
    camera = camera_from_message(message)
    assert camera.distortion_model is DistortionModel.PLUMB_BOB
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 10, 20, 100, 80
    camera = camera_from_message(message)
    assert (camera.width, camera.height) == (100, 80)
    np.testing.assert_allclose(camera.K[:2, 2], [149.5, 99.5])


def test_bad_camera_infos_are_named():
    with pytest.raises(ValueError, match="all zeros"):
        camera_from_message(CameraInfo(width=10, height=10))
    message = info_message()
    message.k = [math.nan, *message.k[1:]]
    with pytest.raises(ValueError, match="finite"):
        camera_from_message(message)
    message = info_message()
    message.distortion_model, message.d = "fancy", [0.1]
    with pytest.raises(ValueError, match="fancy"):
        camera_from_message(message)


def test_bad_headers_are_named():
    header = info_message().header
    header.frame_id = ""
    with pytest.raises(ValueError, match="frame_id"):
        keyframe_id_from_header(header)
    header.frame_id, header.stamp.nanosec = "camera", 10**9
    with pytest.raises(ValueError, match="nanosec"):
        keyframe_id_from_header(header)
