"""The parameter file and the launch file: what they name exists, and they start the node."""

import importlib.util
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


def launched_with_stand_ins(monkeypatch):
    """The launch file's description, made without ``launch``."""
    names = {
        "launch": ["LaunchDescription"],
        "launch.actions": ["DeclareLaunchArgument"],
        "launch.substitutions": ["LaunchConfiguration"],
        "launch_ros": [],
        "launch_ros.actions": ["LifecycleNode"],
        "launch_ros.parameter_descriptions": ["ParameterValue"],
    }
    kinds = {}
    for module_name, classes in names.items():
        module = types.ModuleType(module_name)
        for name in classes:
            kinds[name] = type(name, (Recorded,), {})
            setattr(module, name, kinds[name])
        monkeypatch.setitem(sys.modules, module_name, module)
    (entities,) = runpy.run_path(str(LAUNCH_FILE))["generate_launch_description"]().args
    return entities, kinds


def test_launch_file_names_what_exists(monkeypatch):
    entities, kinds = launched_with_stand_ins(monkeypatch)
    arguments = {e.args[0]: e.kwargs for e in entities if isinstance(e, kinds["DeclareLaunchArgument"])}
    (node,) = (e.kwargs for e in entities if isinstance(e, kinds["LifecycleNode"]))
    assert all(argument.get("description") for argument in arguments.values())
    assert Path(arguments["params_file"]["default_value"]).name == "interpose.yaml"
    assert Path(arguments["params_file"]["default_value"]).is_file()
    assert (REPOSITORY / "scripts" / node["executable"]).is_file()
    assert (node["package"], node["name"]) == ("interpose_ros", "interpose")

    used, values = (
        [node["namespace"]],
        [value for p in node["parameters"] if isinstance(p, dict) for value in p.values()],
    )
    used += [v.args[0] if isinstance(v, kinds["ParameterValue"]) else v for v in values]
    used += [p for p in node["parameters"] if not isinstance(p, dict)]
    assert {configuration.args[0] for configuration in used} == set(arguments)
    settings = {name for p in node["parameters"] if isinstance(p, dict) for name in p}
    assert settings <= {*DEFAULTS, "use_sim_time"}


@pytest.mark.skipif(not has_launch(), reason="launch and launch_ros come with a ROS distribution")
def test_launch_file_starts_an_active_node():
    program = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = {"namespace": "robot1", "image_transport": "compressed"}.items()
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)]))
sys.exit(service.run())
"""
    process = subprocess.Popen([sys.executable, "-c", program, str(LAUNCH_FILE)], start_new_session=True)
    try:
        with Peer() as tester:
            asked = lambda: tester.call(GetState, "/robot1/interpose/get_state", GetState.Request())  # noqa: E731
            tester.wait_for(lambda: asked().current_state.label == "active", DISCOVERY + ANSWER, "active node")
            topics = {name for name, _ in tester.node.get_topic_names_and_types()}
            assert "/robot1/keyframe/image/compressed" in topics
    finally:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
