"""Parameters of a running node: what they say of themselves, which may change, and what becomes of unknown ones."""

import math

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from rcl_interfaces.msg import Log, Parameter, ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.parameter import Parameter as TypedParameter

from interpose_ros.msg import RelativePose
from interpose_ros.ros.live_parameters import unknown_parameters
from interpose_ros.ros.settings import core_settings, node_settings

from .running_node import ANSWER, RunningNode, image_message, info_message, name
from .test_action import PICTURES

OF_ROS = {"use_sim_time", "start_type_description_service"}


@pytest.fixture(scope="module")
def running():
    given = {"pair_windw": 3, "contact.use": False, "nothing.like_it": 1, "features.second_opinion": False}
    with RunningNode(autostart=True, **given) as node:
        node.log = node.collect(Log, "/rosout")
        node.wait_until_active()
        yield node


def parameter(key: str, value) -> Parameter:
    return TypedParameter(key, value=value).to_parameter_msg()


def set_one(running, key: str, value):
    request = SetParameters.Request(parameters=[parameter(key, value)])
    return running.call(SetParameters, "set_parameters", request).results[0]


def set_together(running, **values):
    request = SetParametersAtomically.Request(parameters=[parameter(key, value) for key, value in values.items()])
    return running.call(SetParametersAtomically, "set_parameters_atomically", request).result


def get(running, key: str) -> ParameterValue:
    return running.call(GetParameters, "get_parameters", GetParameters.Request(names=[key])).values[0]


def test_descriptions_say_what_the_models_say(running):
    settings = [*node_settings(), *core_settings()]
    names = [setting.name for setting in settings]
    described = running.call(DescribeParameters, "describe_parameters", DescribeParameters.Request(names=names))
    for setting, descriptor in zip(settings, described.descriptors, strict=True):
        assert descriptor.name == setting.name
        assert descriptor.description == setting.description
        assert descriptor.additional_constraints == setting.constraint
        assert descriptor.read_only == (not setting.is_live), setting.name
        if isinstance(setting.default, float) and {"ge", "le"} <= set(setting.bounds):
            (bounds,) = descriptor.floating_point_range
            assert (bounds.from_value, bounds.to_value) == (setting.bounds["ge"], setting.bounds["le"])
    listed = running.call(ListParameters, "list_parameters", ListParameters.Request()).result.names
    assert {n for n in listed if not n.startswith("qos_overrides.")} - OF_ROS == set(names)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_confidence", 1.5),
        ("min_confidence", math.nan),
        ("min_confidence", "high"),
        ("camera_info_timeout", 0.0),
        ("pair_choice", "all"),
        ("pair_choice", "list"),  # pair_list is empty: a list without pairs
        ("pair_list", ["1.0 2,0"]),
        ("action.max_goals", 0),
        ("decision.min_confidence", 1.5),
        ("decision.calibrations", "/somewhere"),  # read-only: it is a file
        ("worker.ray_address", "ray://elsewhere:1"),  # read-only: where images go
        ("max_keyframes", 5),  # read-only
        ("features.device", "cuda"),  # read-only
    ],
)
def test_what_is_not_allowed_is_refused_with_a_reason_and_changes_nothing(running, key, value):
    before = get(running, key)
    result = set_one(running, key, value)
    assert not result.successful
    assert result.reason
    assert get(running, key) == before


def test_a_set_is_validated_as_a_whole(running):
    assert set_together(running, pair_choice="list", pair_list=["1.0 2.0"]).successful
    result = set_together(running, pair_list=["3.0 4.0"], min_confidence=2.0)
    assert not result.successful
    assert list(get(running, "pair_list").string_array_value) == ["1.0 2.0"]
    assert not set_together(
        running, pair_list=TypedParameter("x", TypedParameter.Type.STRING_ARRAY, []).value
    ).successful
    assert set_together(running, pair_choice="previous").successful


def test_a_change_takes_effect_at_once(running):
    running.wait_until_heard(image_message(1, PICTURES[0]), info_message())
    assert set_together(running, pair_choice="list", pair_list=["3.0 1.0"]).successful
    for second in (2, 3):
        running.images.publish(image_message(second, PICTURES[second - 1]))
    running.wait_for(lambda: running.poses, ANSWER, "answer for the listed pair")
    (found,) = running.poses  # 2 with 1 and 3 with 2 would have been pairs before
    assert (found.keyframe_a, found.keyframe_b) == (name(3), name(1))


def test_thresholds_of_the_pipeline_change_with_the_next_pair(running):
    mixed = set_together(running, **{"decision.min_confidence": 2.0, "min_confidence": 0.6})
    assert not mixed.successful
    assert "decision.min_confidence" in mixed.reason
    assert get(running, "min_confidence").double_value == 0.95
    assert set_together(running, pair_choice="previous").successful
    infos = running.repeat_camera_info(info_message())
    for second, least, status in (
        (11, None, None),
        (12, 0.5, RelativePose.STATUS_OK),
        (13, 1.0, RelativePose.STATUS_REFUSED_LOW_CONFIDENCE),
        (14, 0.5, RelativePose.STATUS_OK),
    ):
        if least is not None:
            assert set_one(running, "decision.min_confidence", least).successful
        running.images.publish(image_message(second, PICTURES[second % 2]))
        if status is not None:
            assert running.pose_for(second).status == status, running.pose_for(second).reason
    running.node.destroy_timer(infos)


def test_unknown_names_are_reported_with_what_may_be_meant(running):
    assert unknown_parameters(["pair_windw", "use_sim_time", "nothing.like_it", "frames.max_frames"]) == {
        "nothing.like_it": "",
        "pair_windw": "pair_window",
    }
    diagnostics = {v.key: v.value for s in running.diagnostics[-1].status for v in s.values}
    assert diagnostics["unknown_parameters"] == "nothing.like_it, pair_windw (pair_window?)"
