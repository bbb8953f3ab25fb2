"""The node's states, as a lifecycle manager meets them."""

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from std_srvs.srv import Trigger

from interpose_ros.srv import GetRelativePose, ListKeyframes

from .running_node import RunningNode, assert_no_pose, name


def change_state(node: RunningNode, transition: int) -> bool:
    request = ChangeState.Request()
    request.transition.id = transition
    return node.call(ChangeState, "change_state", request).success


def test_inactive_node_says_so():
    with RunningNode(autostart=False) as node:
        request = GetRelativePose.Request(keyframe_a=name(1), keyframe_b=name(2))
        response = node.call(GetRelativePose, "get_relative_pose", request)
        assert response.code == GetRelativePose.Response.CODE_NOT_ACTIVE
        assert_no_pose(response.result)
        held = node.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
        assert held.code == ListKeyframes.Response.CODE_NOT_ACTIVE
        assert not node.call(Trigger, "reset", Trigger.Request()).success


def test_manager_configures_activates_and_deactivates():
    with RunningNode() as node:
        assert change_state(node, Transition.TRANSITION_CONFIGURE)
        assert node.call(ListKeyframes, "list_keyframes", ListKeyframes.Request()).code == (
            ListKeyframes.Response.CODE_NOT_ACTIVE
        )
        assert change_state(node, Transition.TRANSITION_ACTIVATE)
        active = node.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
        assert active.code == ListKeyframes.Response.CODE_OK
        assert change_state(node, Transition.TRANSITION_DEACTIVATE)
        assert node.call(ListKeyframes, "list_keyframes", ListKeyframes.Request()).code == (
            ListKeyframes.Response.CODE_NOT_ACTIVE
        )
        assert change_state(node, Transition.TRANSITION_ACTIVATE)
        assert change_state(node, Transition.TRANSITION_ACTIVE_SHUTDOWN)


def test_wrong_parameter_fails_configuration_by_name():
    with RunningNode(tf_frame="same_for_all") as node:
        assert not change_state(node, Transition.TRANSITION_CONFIGURE)
