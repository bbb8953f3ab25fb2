"""Points, pictures and markers: numbers of each, and that the node sends them to those who listen and to nobody else."""

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from nav_msgs.msg import Path
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CompressedImage, PointCloud2
from sensor_msgs_py.point_cloud2 import read_points
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from interpose_ros.answer import Branch, Candidate, Overlap, PairAnswer, Scale, ScaleSource
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.camera import Camera
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.ros.markers_output import confidence_colour, keyframe_markers
from interpose_ros.ros.path_output import keyframe_path
from interpose_ros.ros.picture_output import clip_picture, matches_picture, picture_message
from interpose_ros.ros.points_output import cloud_message, cloud_of_answer, metres_per_unit
from interpose_ros.ros.tf_tree import TfEdge
from interpose_ros.selection.confidence import Confidence
from interpose_ros.views import KeyframeId, View

from . import room
from .running_node import ANSWER, DISCOVERY, RunningNode, image_message, info_message

R_B_A = Rotation.from_euler("y", -10, degrees=True).as_matrix()
T_B_A = np.array([-0.5, 0.0, 0.1])
CAMERA = Camera(room.K, room.WIDTH, room.HEIGHT)


def views() -> tuple[View, View]:
    R_w_b = R_B_A.T
    centre_b = -R_w_b @ T_B_A + [0, 0, -1.0]
    pictures = room.picture(np.eye(3), np.array([0, 0, -1.0])), room.picture(R_w_b, centre_b)
    view_a, view_b = (View(p, CAMERA, KeyframeId("camera", k * 10**9)) for k, p in enumerate(pictures))
    return view_a, view_b


def answer(scale: Scale | None = None, refusal: Refusal | None = None) -> tuple[PairAnswer, np.ndarray]:
    """An answer with exact matches of known points, and the points in frame A."""
    random = np.random.default_rng(3)
    points_a = random.uniform([-1, -0.7, 3], [1, 0.7, 6], (200, 3))
    pixels = CAMERA.project(points_a), CAMERA.project(points_a @ R_B_A.T + T_B_A)
    direction = T_B_A / np.linalg.norm(T_B_A)
    estimate = PoseEstimate(R_B_A, direction, MotionModel.GENERAL, 1e-4 * np.eye(3), 0.01)
    candidate = Candidate("matches", None, estimate, Confidence(0.9, 0.95, 0.9, "test"), selected=refusal is None)
    names = KeyframeId("camera", 0), KeyframeId("camera", 10**9)
    selected = candidate if refusal is None else None
    found = PairAnswer(*names, selected, refusal, Branch.MATCHES, Overlap(0.4, 0.6), 200, (candidate,), scale)
    object.__setattr__(found, "matched_pixels", pixels)
    return found, points_a


def test_cloud_is_the_scene_in_metres_with_its_colours():
    view_a, view_b = views()
    found, points_a = answer(Scale(ScaleSource.DEPTH, float(np.linalg.norm(T_B_A)), 0.01))
    cloud = cloud_of_answer(found, view_a, view_b)
    assert len(cloud) == 200
    message = cloud_message(cloud, metres_per_unit(found, unit_is_allowed=False), Header(frame_id="camera"))
    read = read_points(message, ["x", "y", "z"])
    np.testing.assert_allclose(np.stack([read[n] for n in "xyz"], 1), points_a, atol=1e-4)
    packed = read_points(message, ["rgb"])["rgb"].view(np.uint32)
    rgb = np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], 1)
    pixels = np.rint(CAMERA.project(points_a)).astype(int)
    np.testing.assert_array_equal(rgb, view_a.image[pixels[:, 1], pixels[:, 0]])


def test_points_without_parallax_or_behind_a_camera_are_left_out():
    view_a, view_b = views()
    found, _ = answer()
    pixels_a, pixels_b = (pixels.copy() for pixels in found.matched_pixels)
    far = np.array([[0.1, 0.1, 1e4], [0.3, -0.1, 1e4]])
    pixels_a[:2], pixels_b[:2] = CAMERA.project(far), CAMERA.project(far @ R_B_A.T + T_B_A)
    pixels_a[2], pixels_b[2] = pixels_b[2].copy(), pixels_a[2].copy()
    object.__setattr__(found, "matched_pixels", (pixels_a, pixels_b))
    assert len(cloud_of_answer(found, view_a, view_b)) <= 198


def test_cloud_of_unknown_scale_needs_permission():
    found, points_a = answer()
    assert metres_per_unit(found, unit_is_allowed=False) is None
    assert metres_per_unit(found, unit_is_allowed=True) == 1.0
    cloud = cloud_of_answer(found, *views())
    np.testing.assert_allclose(cloud.points_a * np.linalg.norm(T_B_A), points_a, atol=1e-6)


def test_a_refusal_has_no_cloud_but_pictures():
    found, _ = answer(refusal=Refusal(RefusalReason.LOW_CONFIDENCE, "too few"))
    view_a, view_b = views()
    assert cloud_of_answer(found, view_a, view_b) is None
    picture = matches_picture(found, view_a, view_b)
    assert picture.shape[1] == 2 * room.WIDTH
    decoded = cv2.imdecode(np.frombuffer(picture_message(picture, Header()).data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == picture.shape
    # Lines are drawn over both pictures, and the caption is below.
    changed = np.any(picture[: room.HEIGHT, : room.WIDTH] != view_a.image, axis=-1)
    assert 0.02 < changed.mean() < 0.9


def test_clip_picture_shows_a_the_frames_and_b():
    found, _ = answer()
    view_a, view_b = views()
    object.__setattr__(found, "frames_used", (view_a, view_b, view_a))
    picture = clip_picture(found, view_a, view_b)
    assert picture.shape[1] == 5 * 240
    long = found
    object.__setattr__(long, "frames_used", (view_a,) * 100)
    assert clip_picture(long, view_a, view_b).shape[0] == 3 * (180 + 22)


def test_markers_are_in_the_keyframes_frames_and_coloured_by_confidence():
    a, b, c = (KeyframeId("camera", k * 10**9) for k in range(3))
    edges = [
        TfEdge(a, b, np.eye(3), np.array([0.0, 0, 2]), 1.95),
        TfEdge(b, c, np.eye(3), np.array([1.0, 0, 0]), 0.6),
    ]
    markers = keyframe_markers(edges, lambda name: f"kf_{name.stamp_ns // 10**9}").markers
    assert markers[0].action == Marker.DELETEALL
    assert [m.header.frame_id for m in markers if m.ns == "keyframes"] == ["kf_0", "kf_1", "kf_2"]
    first, second = (m for m in markers if m.ns == "edges")
    assert (first.header.frame_id, second.header.frame_id) == ("kf_0", "kf_1")
    end = first.points[1]
    assert (end.x, end.y, end.z) == (0, 0, 2)
    assert first.color.g > first.color.r
    assert second.color.b > second.color.r
    assert len({(m.ns, m.id) for m in markers}) == len(markers)
    sure, unsure = confidence_colour(1.99), confidence_colour(1.5)
    assert (sure.g, unsure.r, unsure.g) == (1.0, 1.0, 0.0)


def test_a_path_is_the_tree_of_the_newest_keyframe_in_its_root():
    a, b, c, d, e = (KeyframeId("camera", k * 10**9) for k in (1, 2, 4, 0, 3))
    R = Rotation.from_euler("y", 90, degrees=True).as_matrix()
    edges = [
        TfEdge(d, e, np.eye(3), np.array([5.0, 0, 0]), 1.9),  # another tree, whose keyframes are older
        TfEdge(b, c, np.eye(3), np.array([1.0, 0, 0]), 0.6),
        TfEdge(a, b, R, np.array([0.0, 0, 2]), 1.95),
    ]
    path = keyframe_path(edges, lambda name: f"kf_{name.stamp_ns // 10**9}")
    assert (path.header.frame_id, path.header.stamp.sec) == ("kf_1", 0)
    assert [pose.header.stamp.sec for pose in path.poses] == [1, 2, 4]
    found = [[p.pose.position.x, p.pose.position.y, p.pose.position.z] for p in path.poses]
    assert np.allclose(found, [[0, 0, 0], [0, 0, 2], [0, 0, 1]])  # b's x is a's -z
    q = path.poses[2].pose.orientation
    assert np.allclose(Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), R)
    assert keyframe_path([], str).poses == []


def picture(k: int) -> np.ndarray:
    R = Rotation.from_euler("y", 10.0 * k, degrees=True).as_matrix()
    return room.picture(R, np.array([0.4 * k - 1.0, 0.05 * (k % 2), -1.0]))


def test_the_node_shows_answers_to_listeners():
    with RunningNode(autostart=True, unscaled_tf="unit", uncalibrated_tf=True, tf_period=0.2) as running:
        running.wait_until_active()
        running.repeat_camera_info(info_message())
        running.images.publish(image_message(1, picture(1)))
        running.images.publish(image_message(2, picture(2)))
        running.pose_for(2)  # nobody listens yet: this answer is not shown
        topics = {
            "/interpose/points": PointCloud2,
            "/interpose/clip/compressed": CompressedImage,
            "/interpose/matches/compressed": CompressedImage,
            "/interpose/keyframe_markers": MarkerArray,
            "/interpose/path": Path,
        }
        found = {topic: running.collect(kind, topic) for topic, kind in topics.items()}

        def all_heard():
            names = ("points", "clip/compressed", "matches/compressed", "keyframe_markers", "path")
            return all(running.node.count_publishers(f"/interpose/{name}") for name in names)

        running.wait_for(all_heard, DISCOVERY, "publishers")
        running.wait_for(lambda: found["/interpose/keyframe_markers"], ANSWER, "markers for a listener who comes late")
        edges = [m for m in found["/interpose/keyframe_markers"][0].markers if m.ns == "edges"]
        assert [m.header.frame_id for m in edges] == ["camera_kf_1_0"]

        running.images.publish(image_message(3, picture(3)))
        # What the answer before shows may still be on its way when the listener comes.
        points, matches = found["/interpose/points"], found["/interpose/matches/compressed"]
        running.wait_for(lambda: [c for c in points if c.header.frame_id == "camera_kf_2_0"], ANSWER, "points")
        running.wait_for(lambda: [m for m in matches if m.header.stamp.sec == 2], ANSWER, "matches")
        running.wait_for(lambda: all(found.values()), ANSWER, "points and pictures")
        cloud, shown = points[-1], matches[-1]
        assert cloud.header.frame_id == "camera_kf_2_0"
        assert (cloud.header.stamp.sec, cloud.header.stamp.nanosec) == (0, 0)
        z = read_points(cloud, ["z"])["z"]
        assert len(z) > 50
        assert np.all(z > 0)
        assert (shown.header.frame_id, shown.header.stamp.sec) == ("camera", 2)
        assert cv2.imdecode(np.frombuffer(shown.data, np.uint8), cv2.IMREAD_COLOR).shape[1] == 2 * room.WIDTH
