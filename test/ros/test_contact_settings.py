"""~/refine_contact_pose of nodes with settings of their own, one after another: they share a name."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from sensor_msgs.msg import Image

from interpose_ros.contact.anny_body import AnnyBody
from interpose_ros.msg import ContactConstraint
from interpose_ros.srv import RefineContactPose

from .contact_requests import SERVICE, handshake
from .running_node import RunningNode

pytestmark = pytest.mark.ros
Response = RefineContactPose.Response
START = 60.0


@pytest.fixture(scope="module")
def anny():
    return AnnyBody.load()


def test_an_inactive_node_says_so(anny):
    with RunningNode() as running:
        response = running.call(RefineContactPose, SERVICE, handshake(anny))
    assert response.code == Response.CODE_NOT_ACTIVE


def chat_server():
    """The module of the contact tests that is a server on this machine; folders of tests cannot import each other."""
    path = Path(__file__).parents[1] / "contact" / "chat_server.py"
    specification = importlib.util.spec_from_file_location("chat_server", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_language_model_is_asked_only_where_it_is_configured_and_needed(anny):
    servers = chat_server()
    image = Image(height=40, width=60, encoding="rgb8", step=180, data=[100] * 7200)
    server = servers.VLLM()
    with servers.serving(server) as url:
        settings = {"base_url": url, "model": "test", "samples": 4}
        parameters = {f"contact.language_model.{name}": value for name, value in settings.items()}
        parameters["contact.deadline"] = START
        with RunningNode(autostart=True, **parameters) as running:
            running.wait_until_active()
            told = running.call(RefineContactPose, SERVICE, handshake(anny, image=image))
            assert told.code == Response.CODE_OK
            assert server.requests == []
            asked = running.call(RefineContactPose, SERVICE, handshake(anny, image=image, constraints=[]))
            assert asked.code == Response.CODE_OK, asked.message
            assert {c.origin for c in asked.constraints} == {ContactConstraint.ORIGIN_LANGUAGE_MODEL}
            assert sorted({c.weight for c in asked.constraints}) == [0.25, 0.5]
            assert len(server.requests) == 1


@pytest.mark.slow
def test_a_silent_language_model_leaves_time_for_the_heuristic(anny):
    servers = chat_server()
    image = Image(height=40, width=60, encoding="rgb8", step=180, data=[100] * 7200)
    with servers.serving(servers.Silent()) as url:
        parameters = {"contact.language_model.base_url": url, "contact.language_model.model": "test"}
        more = {"contact.heuristic": True, "contact.start": "configure"}
        with RunningNode(autostart=True, **parameters, **more) as running:
            running.wait_until_active()
            running.wait_for(lambda: running.part("contact").get("state") == "READY", START, "body models")
            request = handshake(anny, image=image, constraints=[], deadline=10.0)
            response = running.call(RefineContactPose, SERVICE, request)
    assert response.code in (Response.CODE_OK, Response.CODE_DEADLINE)
    assert {c.origin for c in response.constraints} == {ContactConstraint.ORIGIN_HEURISTIC}
    assert "did not answer" in response.message
    assert response.seconds < 16.0
