"""After `make env`, its python and programs run without sourcing anything, from any folder."""

import os
import subprocess
from pathlib import Path

import pytest

from .locations import PYTHON, REPOSITORY, bare_environment

pytestmark = pytest.mark.ros

IMPORT_AND_SERIALIZE = """
import cv_bridge, sensor_msgs_py.point_cloud2, tf_transformations  # the underlay
import interpose_ros.geometry
from interpose_ros.msg import KeyframeId
from interpose_ros.srv import GetRelativePose
from interpose_ros.action import EstimateRelativePose
from rclpy.serialization import deserialize_message, serialize_message
from tf2_msgs.msg import TFMessage

message = KeyframeId(frame_id="camera")
message.stamp.sec = 12
copy = deserialize_message(serialize_message(message), KeyframeId)
assert copy == message, copy
serialize_message(TFMessage())
serialize_message(EstimateRelativePose.Goal())
print(interpose_ros.geometry.__file__)
"""


def run(*command, cwd, **variables):
    result = subprocess.run(
        command, env=bare_environment(**variables), cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("folder", ["repository", "elsewhere"])
def test_messages_and_core_import_without_sourcing(folder, tmp_path):
    """Messages need their C libraries, the middleware theirs; all are found, and edits of the sources count at once."""
    cwd = REPOSITORY if folder == "repository" else tmp_path
    core = run(PYTHON, "-c", IMPORT_AND_SERIALIZE, cwd=cwd)
    assert Path(core.strip()).resolve() == REPOSITORY / "interpose_ros" / "geometry" / "__init__.py"


def test_a_stale_mark_of_another_environment_does_no_harm(tmp_path):
    """The ROS wheels restart Python once and leave a mark; a child of another environment inherits it."""
    run(
        PYTHON, "-c", IMPORT_AND_SERIALIZE, cwd=tmp_path, _ROS_WHEELS_BOOTSTRAP_COMPLETE="1", LD_LIBRARY_PATH="/nowhere"
    )


def test_the_command_line_program_runs(tmp_path):
    program = Path(PYTHON).with_name("interpose")
    assert "usage" in run(program, "--help", cwd=tmp_path).lower()


def test_the_packages_are_in_the_ament_index(tmp_path):
    code = """
from ament_index_python.packages import get_package_share_directory
for package in ("interpose_ros", "cv_bridge", "sensor_msgs_py", "tf2_msgs", "tf_transformations", "rclpy"):
    print(get_package_share_directory(package))
"""
    shares = run(PYTHON, "-c", code, cwd=tmp_path).splitlines()
    assert all(Path(share, "package.xml").is_file() for share in shares)
    assert (Path(shares[0]) / ".." / ".." / "lib" / "interpose_ros" / "interpose_node").resolve().exists()


def test_edits_need_no_build():
    """`make env` has nothing to do after a Python file was edited."""
    command = ["make", "-C", REPOSITORY, "env"]
    environment = {**os.environ, "MAKEFLAGS": "", "MAKELEVEL": "0"}
    subprocess.run(command, env=environment, capture_output=True, timeout=100, check=True)
    os.utime(REPOSITORY / "interpose_ros" / "__init__.py")
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=True)
    assert "colcon" not in result.stdout
    assert "Python packages" not in result.stdout
