"""Requests and goals that make no sense: each is answered with a code and a sentence, none with a pose, and none is lost."""

import threading

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from hypothesis import HealthCheck, Phase, given, settings
from rclpy.action import ActionClient

from interpose_ros.action import EstimateRelativePose
from interpose_ros.msg import RelativePose
from interpose_ros.ros.service_quality import SERVICE_QUALITY
from interpose_ros.srv import RefineContactPose

from .malformed import GOALS, REQUESTS
from .running_node import ANSWER, DISCOVERY, RunningNode

START = 60.0
fuzzed = settings(
    max_examples=100,
    database=None,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def running():
    with RunningNode(autostart=True, **{"contact.start": "configure"}) as node:
        node.wait_until_active()
        node.wait_for(lambda: node.part("contact").get("state") == "READY", START, "body models")
        yield node


def answered(future):
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(ANSWER), "not answered"
    return future.result()


@pytest.mark.parametrize("service", REQUESTS)
def test_every_request_is_answered_with_a_code(running, service):
    kind, requests = REQUESTS[service]
    client = running.node.create_client(kind, f"/interpose/{service}", qos_profile=SERVICE_QUALITY)
    assert client.wait_for_service(DISCOVERY)
    seen = []

    @fuzzed
    @given(requests)
    def ask(request):
        response = answered(client.call_async(request))
        seen.append(response.code)
        assert response.code in codes(kind.Response), response
        if service == "get_relative_pose":
            assert response.message
            assert response.result.status != RelativePose.STATUS_OK
        if kind is RefineContactPose:
            assert response.message
            assert response.code != kind.Response.CODE_INTERNAL
            assert not response.bodies

    ask()
    assert len(seen) >= (8 if service == "list_keyframes" else 100)  # there are no more frames to name


def test_every_goal_ends_with_a_code_and_no_pose(running):
    client = ActionClient(
        running.node,
        EstimateRelativePose,
        "/interpose/estimate_relative_pose",
        goal_service_qos_profile=SERVICE_QUALITY,
        result_service_qos_profile=SERVICE_QUALITY,
    )
    assert client.wait_for_server(DISCOVERY)
    seen = []

    def on_executor(send):
        # rclpy's client notes what it has asked after sending it, and drops an answer that another thread takes in before.
        return answered(answered(running.executor.create_task(send)))

    @fuzzed
    @given(GOALS)
    def ask(goal):
        handle = on_executor(lambda: client.send_goal_async(goal))
        if not handle.accepted:
            seen.append(None)
            return
        result = on_executor(handle.get_result_async).result
        seen.append(result.code)
        assert result.code in codes(EstimateRelativePose.Result) - {EstimateRelativePose.Result.CODE_INTERNAL}
        assert result.message
        assert result.result.status != RelativePose.STATUS_OK

    ask()
    assert len(seen) == 100
    client.destroy()


def codes(kind):
    return {getattr(kind, name) for name in dir(kind) if name.startswith("CODE_")} - {kind.CODE_UNSET}
