"""The parameter file and the launch file: what they name exists, and they start the node."""

import importlib.util
import json
import os
import runpy
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from lifecycle_msgs.srv import GetState

from interpose_ros.ros.settings import core_settings, node_settings

from .running_node import ANSWER, DISCOVERY, PARAMETER_FILE, REPOSITORY, Peer

LAUNCH_FILE = REPOSITORY / "launch" / "interpose.launch.py"
REPLAY_FILE = REPOSITORY / "launch" / "replay.launch.py"
BAG = REPOSITORY / "data" / "fr3_office_1hz"
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [argument.split(":=", 1) for argument in sys.argv[2:]]
service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)]))
sys.exit(service.run())
"""
PARAMETERS = yaml.safe_load(PARAMETER_FILE.read_text())["/**"]["ros__parameters"]
DEFAULTS = {setting.name: setting.default for setting in (*node_settings(), *core_settings())}


def has_launch() -> bool:
    """A folder of this name is no package; only a ROS distribution has the real ones."""
    return all(
        (spec := importlib.util.find_spec(name)) is not None and spec.origin is not None
        for name in ("launch", "launch_ros")
    )


def test_parameter_file_states_defaults_of_parameters_that_exist():
    assert PARAMETERS
    assert {name: DEFAULTS.get(name, "no such parameter") for name in PARAMETERS} == PARAMETERS
    assert all(type(DEFAULTS[name]) is type(value) for name, value in PARAMETERS.items())


class Recorded:
    """Stands where ``launch`` is not installed: keeps what it was made of."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs


class Configured(Recorded):
    """``LaunchConfiguration``: looks a name up in the arguments that were given."""

    def perform(self, context):
        return context[self.args[0]]


def launched_with_stand_ins(monkeypatch):
    """The launch file's description and its function for the node, made without ``launch``."""
    names = {
        "launch": ["LaunchDescription", "LaunchContext"],
        "launch.actions": ["DeclareLaunchArgument", "OpaqueFunction"],
        "launch.conditions": ["IfCondition"],
        "launch.substitutions": ["LaunchConfiguration"],
        "launch_ros": [],
        "launch_ros.actions": ["LifecycleNode", "Node"],
        "launch_ros.parameter_descriptions": ["ParameterValue"],
    }
    kinds = {}
    for module_name, classes in names.items():
        module = types.ModuleType(module_name)
        for name in classes:
            kinds[name] = type(name, (Configured if name == "LaunchConfiguration" else Recorded,), {})
            setattr(module, name, kinds[name])
        monkeypatch.setitem(sys.modules, module_name, module)
    (entities,) = runpy.run_path(str(LAUNCH_FILE))["generate_launch_description"]().args
    arguments = {e.args[0]: e.kwargs for e in entities if isinstance(e, kinds["DeclareLaunchArgument"])}

    def node(**given):
        context = {name: given.pop(name, argument["default_value"]) for name, argument in arguments.items()}
        assert not given, "arguments that are not declared"
        (function,) = (e.kwargs["function"] for e in entities if isinstance(e, kinds["OpaqueFunction"]))
        (made,) = function(context)
        assert isinstance(made, kinds["LifecycleNode"])
        return made.kwargs

    (rviz,) = (e.kwargs for e in entities if isinstance(e, kinds["Node"]))
    return arguments, node, rviz


def test_launch_file_names_what_exists(monkeypatch):
    arguments, node, rviz = launched_with_stand_ins(monkeypatch)
    assert all(len(argument["description"]) > 10 for argument in arguments.values())
    assert Path(arguments["params_file"]["default_value"]).name == "interpose.yaml"
    assert Path(arguments["params_file"]["default_value"]).is_file()
    made = node()
    assert (REPOSITORY / "scripts" / made["executable"]).is_file()
    assert (made["package"], made["name"]) == ("interpose_ros", "interpose")
    assert (REPOSITORY / "config" / Path(rviz["arguments"][1]).name).is_file()


def test_launch_arguments_that_are_not_given_leave_the_parameter_file_alone(monkeypatch):
    _, node, _ = launched_with_stand_ins(monkeypatch)
    made = node()
    file, values = made["parameters"]
    assert file.args == ("params_file",)
    assert set(values) == {"use_sim_time", "autostart"}
    assert made["remappings"] == []


def test_launch_arguments_set_parameters_and_move_topics(monkeypatch):
    _, node, _ = launched_with_stand_ins(monkeypatch)
    made = node(
        image_transport="compressed", publish_tf="false", device="cuda:1", preset="wan", tf="tf", image="/front"
    )
    values = made["parameters"][1]
    assert (values["image_transport"], values["publish_tf"]) == ("compressed", False)
    assert set(values) <= {*DEFAULTS, "use_sim_time"}
    assert {name for name, value in values.items() if value == "cuda:1"} >= {"features.device", "dust3r.device"}
    assert "wan" in values.values()
    assert made["remappings"] == [("image", "/front"), ("/tf", "tf")]


def test_layouts_show_topics_that_exist():
    """Of RViz and Foxglove; the node's publishers are named in ``interpose_ros.ros.displays``."""
    displays = (REPOSITORY / "interpose_ros" / "ros" / "displays.py").read_text()
    rviz = yaml.safe_load((REPOSITORY / "config" / "interpose.rviz").read_text())["Visualization Manager"]["Displays"]
    foxglove = json.loads((REPOSITORY / "config" / "interpose.foxglove.json").read_text())
    panels = foxglove["configById"]
    shown = {display["Topic"]["Value"] for display in rviz if "Topic" in display}
    seen = {name.removeprefix("/") for name in panels["3D!interpose"]["topics"]}
    seen |= {panels[f"Image!{name}"]["imageMode"]["imageTopic"].removeprefix("/") for name in ("matches", "clip")}
    assert seen == shown
    assert all(f'"~/{topic.removeprefix("interpose/")}"' in displays for topic in shown)

    def leaves(layout):
        return [layout] if isinstance(layout, str) else [*leaves(layout["first"]), *leaves(layout["second"])]

    assert sorted(leaves(foxglove["layout"])) == sorted(panels)


@pytest.mark.skipif(not has_launch(), reason="launch and launch_ros come with a ROS distribution")
def test_launch_file_starts_an_active_node():
    arguments = ["namespace:=robot1", "image_transport:=compressed"]
    process = subprocess.Popen([sys.executable, "-c", LAUNCH, str(LAUNCH_FILE), *arguments], start_new_session=True)
    try:
        with Peer() as tester:
            asked = lambda: tester.call(GetState, "/robot1/interpose/get_state", GetState.Request())  # noqa: E731
            tester.wait_for(lambda: asked().current_state.label == "active", DISCOVERY + ANSWER, "active node")
            topics = {name for name, _ in tester.node.get_topic_names_and_types()}
            assert "/robot1/keyframe/image/compressed" in topics
    finally:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0


@pytest.mark.skipif(not has_launch(), reason="launch and launch_ros come with a ROS distribution")
@pytest.mark.timeout(300)
def test_replay_ends_with_the_bag_and_leaves_a_summary(tmp_path):
    arguments = {
        "bag": BAG,
        "image": "/camera/image",
        "out": tmp_path / "run",
        "keyframe_period": 4.0,  # four keyframes of 16 seconds
        "pair_window": 1,
        "rate": 4.0,
    }
    command = [sys.executable, "-c", LAUNCH, str(REPLAY_FILE), *(f"{key}:={value}" for key, value in arguments.items())]
    subprocess.run(command, check=True, timeout=280)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["n"] >= 2
    assert summary["answered"] + summary["refused"] == summary["n"]
    assert summary["mre_deg"] < 5.0


@pytest.mark.skipif(not has_launch(), reason="launch and launch_ros come with a ROS distribution")
def test_replay_of_no_bag_ends_at_once(tmp_path):
    command = [sys.executable, "-c", LAUNCH, str(REPLAY_FILE), "bag:=/nowhere", "image:=/camera/image"]
    told = subprocess.run(
        [*command, f"out:={tmp_path / 'run'}"], check=False, timeout=100, capture_output=True, text=True
    )
    assert "/nowhere" in told.stdout + told.stderr
    assert "the evaluator has ended with status" in told.stdout + told.stderr or "required" in told.stdout + told.stderr
