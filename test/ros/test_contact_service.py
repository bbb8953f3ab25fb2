"""~/refine_contact_pose of a running node."""

import math
import time

import pytest

pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

import numpy as np
from geometry_msgs.msg import Point
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import MarkerArray

from interpose_ros.contact.anny_body import AnnyBody
from interpose_ros.contact.body_model import COCO_KEYPOINTS, landmarks
from interpose_ros.contact.synthetic import face_to_face
from interpose_ros.msg import ContactConstraint
from interpose_ros.srv import ListKeyframes, RefineContactPose

from .contact_requests import SERVICE, handshake, joints_message
from .running_node import RunningNode

pytestmark = pytest.mark.ros
Response = RefineContactPose.Response
START = 60.0


@pytest.fixture(scope="module")
def anny():
    return AnnyBody.load()


@pytest.fixture(scope="module")
def node():
    parameters = {"contact.publish_tf": True, "contact.start": "configure", "contact.deadline": 60.0}
    with RunningNode(autostart=True, **parameters) as running:
        running.markers = running.collect(MarkerArray, "/interpose/contact_markers")
        running.wait_until_active()
        running.wait_for(lambda: running.node.count_publishers("/interpose/contact_markers") > 0, 20.0, "markers")
        running.wait_for(lambda: running.part("contact").get("state") == "READY", START, "body models")
        yield running


def test_a_handshake_comes_back_closed(node, anny):
    response = node.call(RefineContactPose, SERVICE, handshake(anny))
    assert response.code == Response.CODE_OK, response.message
    assert [body.id for body in response.bodies] == ["p0", "p1"]
    assert all(body.has_parameters and body.model == "anny" for body in response.bodies)
    (contact,) = response.constraints
    assert contact.distance_before > 0.2
    assert contact.distance_after < 0.01
    assert contact.origin == ContactConstraint.ORIGIN_REQUEST
    assert {contact.side_a, contact.side_b} <= {ContactConstraint.SIDE_LEFT, ContactConstraint.SIDE_RIGHT}
    losses = dict(
        zip(response.loss_names, zip(response.losses_before, response.losses_after, strict=True), strict=True)
    )
    assert losses["contact"][1] < 0.1 * losses["contact"][0]
    assert 0 < sum(stage.seconds for stage in response.stage_times) <= response.seconds + 1e-3
    # REP 155: body_<id> at the hips, x forward, z to the head; person 0 faces the camera's right.
    node.wait_for(lambda: frames(node), 10.0, "frames of the bodies")
    transform = frames(node)["body_p0"]
    assert transform.header.frame_id == "camera"
    assert transform.header.stamp.sec == 7
    q = transform.transform.rotation
    forward_x = 1 - 2 * (q.y**2 + q.z**2)
    up_y = 2 * (q.y * q.z - q.w * q.x)
    assert forward_x > 0.9
    assert up_y < -0.9
    node.wait_for(lambda: node.markers, 10.0, "markers")
    assert len(node.markers[-1].markers) == 2
    assert len(node.markers[-1].markers[0].points) > 3000


def frames(node):
    return {t.child_frame_id: t for m in node.transforms for t in m.transforms if t.child_frame_id.startswith("body_")}


def test_joints_alone_are_enough(node, anny):
    request = handshake(anny, bodies=[joints_message(anny, body) for body in face_to_face(anny)])
    response = node.call(RefineContactPose, SERVICE, request)
    assert response.code == Response.CODE_OK, response.message
    assert response.constraints[0].distance_after < 0.01


def test_a_deadline_gives_the_best_so_far(node, anny):
    response = node.call(RefineContactPose, SERVICE, handshake(anny, deadline=0.05))
    assert response.code == Response.CODE_DEADLINE
    assert len(response.bodies) == 2
    assert response.seconds < 5.0


def test_other_services_answer_meanwhile(node, anny):
    client = node.node.create_client(RefineContactPose, f"/interpose/{SERVICE}")
    assert client.wait_for_service(20.0)
    under_way = client.call_async(handshake(anny))
    began = time.monotonic()
    answers = 0
    while not under_way.done() and time.monotonic() - began < 20:
        node.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
        answers += 1
    assert answers >= 3
    assert under_way.result().code == Response.CODE_OK


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"bodies": []}, Response.CODE_INVALID_REQUEST, "0 people"),
        ({"constraints": []}, Response.CODE_NO_CONSTRAINTS, "no contacts"),
        ({"deadline": math.nan}, Response.CODE_INVALID_REQUEST, "deadline"),
        ({"has_floor": True}, Response.CODE_INVALID_REQUEST, "no length"),
        (
            {"constraints": [ContactConstraint(body_a=0, part_a="wing", body_b=1, part_b="hand")]},
            Response.CODE_INVALID_REQUEST,
            "'wing'",
        ),
        (
            {"constraints": [ContactConstraint(body_a=0, part_a="hand", body_b=1, part_b="hand", side_a=9)]},
            Response.CODE_INVALID_REQUEST,
            "side 9",
        ),
    ],
)
def test_nonsense_is_refused_and_named(node, anny, changes, code, told):
    response = node.call(RefineContactPose, SERVICE, handshake(anny, **changes))
    assert response.code == code
    assert told in response.message
    assert not response.bodies


@pytest.mark.parametrize(
    ("field", "value", "code", "told"),
    [
        ("model", "smplx", Response.CODE_UNKNOWN_MODEL, "'smplx'"),
        ("root_position", Point(x=0.0, y=0.0, z=-2.0), Response.CODE_INVALID_REQUEST, "behind the camera"),
        ("root_position", Point(x=0.0, y=math.inf, z=2.0), Response.CODE_INVALID_REQUEST, "finite"),
        ("rotation_names", ["tail"] * 34, Response.CODE_INVALID_REQUEST, "twice"),
        ("rotations", [], Response.CODE_INVALID_REQUEST, "34 names"),
        ("has_parameters", False, Response.CODE_INVALID_REQUEST, "has_parameters is false"),
    ],
)
def test_bodies_that_are_none_are_named(node, anny, field, value, code, told):
    request = handshake(anny)
    setattr(request.bodies[0], field, value)
    response = node.call(RefineContactPose, SERVICE, request)
    assert response.code == code
    assert told in response.message


def test_three_people_and_joints_that_nobody_has_are_named(node, anny):
    request = handshake(anny)
    request.bodies = [*request.bodies, request.bodies[0]]
    response = node.call(RefineContactPose, SERVICE, request)
    assert response.code == Response.CODE_INVALID_REQUEST
    assert "3 people" in response.message
    bodies = [joints_message(anny, body) for body in face_to_face(anny)]
    bodies[1].joint_names = [*bodies[1].joint_names[:-1], "left_wing"]
    response = node.call(RefineContactPose, SERVICE, handshake(anny, bodies=bodies))
    assert response.code == Response.CODE_INVALID_REQUEST
    assert "body 1" in response.message
    assert "'left_wing'" in response.message


def test_a_deadline_holds_while_joints_are_fitted(node, anny):
    bodies = [joints_message(anny, body) for body in face_to_face(anny)]
    response = node.call(RefineContactPose, SERVICE, handshake(anny, bodies=bodies, deadline=0.001))
    assert response.code == Response.CODE_DEADLINE
    assert len(response.bodies) == 2
    # All the bodies are where the joints are, and nothing has been found to touch in no time.
    for given, found in zip(bodies, response.bodies, strict=True):
        hips = [p for n, p in zip(given.joint_names, given.joint_positions, strict=True) if n.endswith("_hip")]
        assert abs(found.root_position.x - sum(p.x for p in hips) / 2) < 0.2
    assert response.seconds < 5.0


def test_an_unreadable_image_and_no_camera_are_named(node, anny):
    broken = Image(height=100, width=100, encoding="rgb8", step=300, data=[0] * 10)
    response = node.call(RefineContactPose, SERVICE, handshake(anny, image=broken))
    assert response.code == Response.CODE_INVALID_REQUEST
    assert "truncated" in response.message
    request = handshake(anny, camera_info=CameraInfo(width=640, height=480))
    request.bodies[0].keypoint_names = ["nose"]
    request.bodies[0].keypoints = [1.0, 2.0, 1.0]
    response = node.call(RefineContactPose, SERVICE, request)
    assert response.code == Response.CODE_INVALID_REQUEST
    assert "not calibrated" in response.message


def test_key_points_hold_the_bodies_in_the_image(node, anny):
    bodies = face_to_face(anny)
    request = handshake(anny)
    request.camera_info = CameraInfo(width=1280, height=720, k=[800.0, 0.0, 640.0, 0.0, 800.0, 360.0, 0.0, 0.0, 1.0])
    for message, body in zip(request.bodies, bodies, strict=True):
        points = landmarks(anny, body, COCO_KEYPOINTS)[0].numpy()
        pixels = points[:, :2] / points[:, 2:] * 800.0 + np.array([640.0, 360.0])
        message.keypoint_names = list(COCO_KEYPOINTS)
        message.keypoints = np.hstack([pixels, np.ones((17, 1))]).ravel().tolist()
    response = node.call(RefineContactPose, SERVICE, request)
    assert response.code == Response.CODE_OK, response.message
    assert "key points 0" in response.loss_names
