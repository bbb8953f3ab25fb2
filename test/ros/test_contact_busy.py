"""~/refine_contact_pose while it is busy: others are told, and everything else goes on."""

import importlib.util
import os
import signal
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")
pytest.importorskip("openai", reason="comes with the extra contact, as in make env")

import numpy as np
from sensor_msgs.msg import Image

from interpose_ros.contact.anny_body import AnnyBody
from interpose_ros.msg import RelativePose
from interpose_ros.srv import ListKeyframes, RefineContactPose

from . import room
from .contact_requests import SERVICE, handshake
from .running_node import RunningNode, image_message, info_message

pytestmark = pytest.mark.ros
Response = RefineContactPose.Response
PICTURES = [room.picture(np.eye(3), np.array([x, 0.0, -1.0])) for x in (0.0, 0.4, 0.8)]
MORE = {"contact.waiting": 1, "worker.cancel_timeout": 0.5}
PHOTO = Image(height=40, width=60, encoding="rgb8", step=180, data=[100] * 7200)


@pytest.fixture(scope="module")
def anny():
    return AnnyBody.load()


@pytest.fixture(scope="module")
def servers():
    """The module of the contact tests that is a server on this machine; folders of tests cannot import each other."""
    path = Path(__file__).parents[1] / "contact" / "chat_server.py"
    specification = importlib.util.spec_from_file_location("chat_server", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def running(servers):
    """A node whose language model answers when it is let."""
    server = servers.Held()
    with servers.serving(server) as url:
        settings = {"base_url": url, "model": "test", "samples": 4, "timeout": 60.0}
        parameters = {f"contact.language_model.{name}": value for name, value in settings.items()}
        with RunningNode(autostart=True, uncalibrated_tf=True, **parameters, **MORE) as node:
            node.server = server
            node.wait_until_active()
            node.repeat_camera_info(info_message())
            node.client = node.node.create_client(RefineContactPose, f"/interpose/{SERVICE}")
            assert node.client.wait_for_service(30.0)
            yield node
            server.released.set()


def ask(running, request):
    """A request under way."""
    future = running.client.call_async(request)
    future.add_done_callback(lambda _: wake(running))
    return future


def wake(running):
    with running.changed:
        running.changed.notify_all()


def answer(running, request):
    """The response, which may take long: a process that starts anew loads its models first, with low priority."""
    asked = ask(running, request)
    running.wait_for(asked.done, 70.0, "answer")
    return asked.result()


def hold(running, anny):
    """A request that is answered when `running.server` is released."""
    running.server.asked.clear()
    running.server.released.clear()
    held = ask(running, handshake(anny, image=PHOTO, constraints=[], deadline=120.0))
    running.wait_for(running.server.asked.is_set, 30.0, "question to the language model")
    return held


def test_one_waits_and_one_more_is_told_that_it_is_busy(running, anny):
    held = hold(running, anny)
    others = [ask(running, handshake(anny, deadline=60.0)) for _ in range(2)]
    running.wait_for(lambda: any(other.done() for other in others), 20.0, "refusal")
    (refused,) = [other for other in others if other.done()]
    (waiting,) = [other for other in others if other is not refused]
    assert refused.result().code == Response.CODE_BUSY
    assert "contact.waiting" in refused.result().message
    assert not refused.result().bodies
    assert not held.done()
    running.server.released.set()
    running.wait_for(lambda: held.done() and waiting.done(), 60.0, "answers")
    assert held.result().code == Response.CODE_OK, held.result().message
    assert waiting.result().code == Response.CODE_OK, waiting.result().message


def test_the_deadline_counts_while_a_request_waits(running, anny):
    held = hold(running, anny)
    began = time.monotonic()
    response = running.call(RefineContactPose, SERVICE, handshake(anny, deadline=0.5))
    assert response.code == Response.CODE_BUSY
    assert "until the deadline" in response.message
    assert 0.5 <= response.seconds <= time.monotonic() - began
    assert not held.done()
    running.server.released.set()
    running.wait_for(held.done, 60.0, "answer")


def test_poses_and_services_go_on_while_it_waits_and_while_it_works(running, anny):
    held = hold(running, anny)
    for number in (0, 1):
        running.images.publish(image_message(number + 1, PICTURES[number]))
    assert running.pose_for(2).status == RelativePose.STATUS_OK
    assert len(running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request()).keyframes) == 2
    assert not held.done()
    running.server.released.set()
    running.wait_for(held.done, 60.0, "answer")

    # One refinement after another, without a pause, until the next pose is there.
    enough, answers = threading.Event(), []

    def again(future):
        answers.append(future.result().code)
        wake(running)
        if not enough.is_set():
            running.client.call_async(handshake(anny)).add_done_callback(again)

    running.client.call_async(handshake(anny)).add_done_callback(again)
    running.wait_for(lambda: answers, 60.0, "first refinement")
    running.images.publish(image_message(3, PICTURES[2]))
    longest = 0.0
    while not any(pose.keyframe_b.stamp.sec == 3 for pose in running.poses):
        asked = time.monotonic()
        running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
        longest = max(longest, time.monotonic() - asked)
    before = len(answers)
    assert longest < 5.0
    enough.set()
    running.wait_for(lambda: len(answers) > before, 60.0, "last refinement")
    assert set(answers) == {Response.CODE_OK}


def contact_process(running) -> int:
    """The process that refines, as /diagnostics names it."""
    running.wait_for(lambda: running.part("contact").get("state") in ("READY", "BUSY"), 60.0, "contact process")
    return int(running.part("contact")["process"])


def maps(process: int) -> str:
    return Path(f"/proc/{process}/maps").read_text()


def test_a_process_that_is_killed_costs_one_request(running, anny):
    held = hold(running, anny)
    process = contact_process(running)
    os.kill(process, signal.SIGKILL)
    running.wait_for(held.done, 20.0, "error")
    assert held.result().code == Response.CODE_INTERNAL
    assert "SIGKILL" in held.result().message
    assert not held.result().bodies
    response = answer(running, handshake(anny, deadline=60.0))
    assert response.code == Response.CODE_OK, response.message
    running.wait_for(lambda: running.part("contact").get("restarts") == "1", 20.0, "restart in the diagnostics")
    assert "SIGKILL" in running.part("contact")["last_failure"]


def test_a_process_that_hangs_costs_one_request(running, anny):
    process = contact_process(running)
    os.kill(process, signal.SIGSTOP)
    began = time.monotonic()
    response = running.call(RefineContactPose, SERVICE, handshake(anny, deadline=0.5))
    assert response.code == Response.CODE_INTERNAL
    assert "no answer by the deadline" in response.message
    assert time.monotonic() - began < 15.0
    response = answer(running, handshake(anny, deadline=60.0))
    assert response.code == Response.CODE_OK, response.message
    assert contact_process(running) != process


def test_networks_are_in_the_processes_that_compute_and_not_in_the_node(running, anny):
    assert "libtorch" not in maps(running.process.pid)
    for process in (contact_process(running), int(running.part("worker")["process"])):
        assert "libtorch" in maps(process)


def test_deactivation_ends_what_is_under_way(running, anny):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    held = hold(running, anny)
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert running.call(ChangeState, "change_state", request).success
    running.wait_for(held.done, 10.0, "answer")
    assert held.result().code in (Response.CODE_NOT_ACTIVE, Response.CODE_LANGUAGE_MODEL, Response.CODE_DEADLINE)
