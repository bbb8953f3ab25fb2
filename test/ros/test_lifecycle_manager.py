"""The node under a lifecycle manager. nav2's comes with a ROS distribution only; here its calls are made in its order, with
its patience: ``change_state``, then ``get_state`` must name the state that belongs to the transition. There is no bond, as
with ``bond_timeout: 0.0``.
"""

import threading
import time

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

from interpose_ros.msg import RelativePose
from interpose_ros.srv import ListKeyframes

from .running_node import DISCOVERY, RunningNode, image_message, info_message
from .test_action import PICTURES

STATE_PATIENCE = 2.0
"""Of nav2's client for ``get_state``, in seconds."""

CHANGE_PATIENCE = 100.0
"""nav2 waits for a change without end, or five seconds in its later versions; this machine may have much else to do."""

STATE_AFTER = {
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_UNCONFIGURED_SHUTDOWN: State.PRIMARY_STATE_FINALIZED,
}


class Manager:
    """Brings one node up and down, as ``nav2_lifecycle_manager`` does."""

    def __init__(self, running: RunningNode) -> None:
        self._change = running.node.create_client(ChangeState, "interpose/change_state")
        self._state = running.node.create_client(GetState, "interpose/get_state")
        assert self._state.wait_for_service(DISCOVERY)
        assert self._change.wait_for_service(DISCOVERY)

    def startup(self) -> bool:
        return self._all(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)

    def pause(self) -> bool:
        return self._all(Transition.TRANSITION_DEACTIVATE)

    def resume(self) -> bool:
        return self._all(Transition.TRANSITION_ACTIVATE)

    def reset(self) -> bool:
        return self._all(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)

    def shutdown(self) -> bool:
        return self._all(
            Transition.TRANSITION_DEACTIVATE,
            Transition.TRANSITION_CLEANUP,
            Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
        )

    def _all(self, *transitions: int) -> bool:
        return all(self._changed(transition) for transition in transitions)

    def _changed(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        if not called(self._change, request, CHANGE_PATIENCE).success:
            return False
        began = time.monotonic()
        now = called(self._state, GetState.Request(), STATE_PATIENCE).current_state.id
        assert time.monotonic() - began < STATE_PATIENCE
        return now == STATE_AFTER[transition]


def called(client, request, patience):
    done = threading.Event()
    future = client.call_async(request)
    future.add_done_callback(lambda _: done.set())
    assert done.wait(patience), f"{client.srv_name} did not answer within {patience} s"
    return future.result()


def test_a_manager_brings_the_node_up_pauses_resets_and_ends_it():
    with RunningNode(autostart=False, unscaled_tf="unit", **{"features.second_opinion": False}) as running:
        manager = Manager(running)
        assert manager.startup()
        running.wait_until_active()
        running.repeat_camera_info(info_message())
        running.wait_until_heard(image_message(1, PICTURES[0]), info_message())
        running.images.publish(image_message(2, PICTURES[1]))
        assert running.pose_for(2).status == RelativePose.STATUS_OK

        assert manager.pause()
        held = running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
        assert held.code == ListKeyframes.Response.CODE_NOT_ACTIVE
        assert manager.resume()
        held = running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
        assert held.code == ListKeyframes.Response.CODE_OK
        assert not held.keyframes

        assert manager.reset()
        assert manager.startup()
        assert manager.shutdown()


def test_a_manager_is_told_that_the_node_cannot_be_configured():
    with RunningNode(autostart=False, estimator="dust3r", **{"dust3r.weights": "/nowhere/weights.pth"}) as running:
        assert not Manager(running).startup()
