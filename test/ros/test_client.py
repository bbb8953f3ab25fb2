"""The client library and its example beside a running node."""

import importlib.util
import threading

import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from scipy.spatial.transform import Rotation

from interpose_ros.ros.client import ImageWithCamera, InterposeClient, NodeNotReached, NotActive
from interpose_ros.ros.client_results import EstimateCode, LookupCode, PoseStatus, Stage
from interpose_ros.srv import RefineContactPose
from interpose_ros.views import KeyframeId

from .running_node import ANSWER, REPOSITORY, RunningNode, image_message, info_message
from .test_action import PICTURES, YAW

A, B = KeyframeId("camera", 1_000_000_000), KeyframeId("camera", 2_000_000_000)


@pytest.fixture(scope="module")
def running():
    with RunningNode(autostart=True, unscaled_tf="unit", **{"contact.use": False}) as node:
        node.wait_until_active()
        node.wait_until_heard(image_message(1, PICTURES[0]), info_message())
        yield node


@pytest.fixture(scope="module")
def client(running):
    with InterposeClient("/interpose", running.context) as client:
        yield client


def turn_deg(pose) -> float:
    return float(
        np.degrees((Rotation.from_matrix(pose.R_a_b) * Rotation.from_euler("y", -YAW, degrees=True)).magnitude())
    )


def test_answers_are_heard_and_looked_up_with_types(running, client):
    heard, came = [], threading.Event()

    def on_answer(pose):
        heard.append(pose)
        came.set()

    end = client.on_answer(on_answer)
    running.wait_for(lambda: running.node.count_subscribers("/interpose/relative_pose") >= 2, ANSWER, "the client")
    running.images.publish(image_message(2, PICTURES[1]))
    assert came.wait(ANSWER)
    end()
    (pose,) = heard
    assert pose.has_pose
    assert pose.status is PoseStatus.OK
    assert (pose.keyframe_a, pose.keyframe_b) == (A, B)
    assert turn_deg(pose) < 2
    assert pose.T_a_b is None  # without scale there is no length to make up
    assert pose.position_a_b is None
    assert np.isclose(np.linalg.norm(pose.direction_a_b), 1.0)
    assert 0 < pose.confidence_5deg <= 1

    found = client.get_relative_pose(B, A)
    assert found.code is LookupCode.OK
    assert np.allclose(found.pose.R_a_b, pose.R_a_b.T)
    missing = client.get_relative_pose(A, KeyframeId("camera", 77))
    assert missing.code is LookupCode.UNKNOWN_KEYFRAME
    assert missing.pose is None
    assert "77" in missing.text
    held = client.list_keyframes()
    assert [keyframe.name for keyframe in held] == [A, B]
    assert all(keyframe.is_connected for keyframe in held)
    assert client.list_keyframes("elsewhere") == []


def test_estimates_of_keyframes_and_of_images(client):
    heard = []
    estimate = client.estimate(A, B, max_seconds=30.5, progress=heard.append).result(ANSWER)
    assert estimate.code is EstimateCode.OK
    assert turn_deg(estimate.pose) < 2
    # How much is heard before the result is not promised, but its order and its numbers are.
    stages, fractions = [now.stage for now in heard], [now.fraction for now in heard]
    assert stages[0] in (Stage.WAITING, Stage.OVERLAP)
    assert fractions[0] == 0.0
    assert stages == sorted(stages)
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1.0
    # The keyframes share enough: nothing was looked for in between.
    assert not {Stage.LOADING, Stage.CLIPS, Stage.CLIP_POSES} & set(stages)
    for now in heard:
        if now.stage is Stage.SCALE:
            assert now.fraction == 1.0
            assert turn_deg(now.best) == pytest.approx(turn_deg(estimate.pose), abs=1e-6)
        elif not now.best.has_pose:
            assert now.best.confidence_5deg == 0
    first, second = (ImageWithCamera(image_message(50 + k, PICTURES[k]), info_message()) for k in range(2))
    estimate = client.estimate(first, second).result(ANSWER)
    assert estimate.code is EstimateCode.OK, estimate.text
    assert turn_deg(estimate.pose) < 2
    with pytest.raises(ValueError, match="one of each"):
        client.estimate(A, second)
    refused = client.estimate(A, KeyframeId("camera", 77)).result(ANSWER)
    assert refused.code is EstimateCode.UNKNOWN_KEYFRAME
    assert not refused.pose.has_pose
    assert refused.pose.R_a_b is None
    assert refused.pose.covariance is None
    assert client.estimate(A, B).cancel().code in (EstimateCode.CANCELLED, EstimateCode.OK)


def test_bodies_are_passed_on(client):
    response = client.refine_contact_pose(RefineContactPose.Request(), ANSWER)
    assert response.code == RefineContactPose.Response.CODE_MODEL_MISSING
    assert "contact.use" in response.message


def test_the_example_shows_a_pose(client, capsys):
    spec = importlib.util.spec_from_file_location("planner", REPOSITORY / "examples" / "planner.py")
    planner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(planner)
    a, b = planner.list_what_is_held(client)
    assert planner.look_up(client, a, b).has_pose
    pose = planner.estimate(client, a, b, ANSWER)
    assert "length unknown" in planner.decide(pose)
    assert "no pose" in planner.decide(None)
    shown = capsys.readouterr().out
    assert "camera@1.000000000 is camera_kf_1_0 on /tf" in shown
    # Feedback is not waited for: a pair that takes no time may be answered before the rest of it is heard.
    assert "% matching the keyframes; so far: " in shown


def test_who_is_not_there_or_not_active_is_said(running, client, monkeypatch):
    client.reset()
    assert client.list_keyframes() == []
    assert client.get_relative_pose(A, B).code is LookupCode.EVICTED
    monkeypatch.setattr("interpose_ros.ros.client.DISCOVERY", 0.2)
    with InterposeClient("/nobody", running.context) as nobody:
        for ask in (nobody.list_keyframes, nobody.reset, lambda: nobody.estimate(A, B)):
            with pytest.raises(NodeNotReached, match="/nobody"):
                ask()
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert running.call(ChangeState, "change_state", request).success
    for ask in (client.list_keyframes, client.reset):
        with pytest.raises(NotActive):
            ask()
    assert client.estimate(A, B).result(ANSWER).code is EstimateCode.NOT_ACTIVE
