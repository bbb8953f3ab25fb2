"""tools/ros-env keeps a sourced ROS distribution out, and says so."""

import subprocess

import pytest

from .locations import REPOSITORY, bare_environment

FOREIGN = {
    "PYTHONPATH": "/opt/ros/other/lib/python3",
    "LD_LIBRARY_PATH": "/opt/ros/other/lib",
    "CMAKE_PREFIX_PATH": "/opt/ros/other",
    "AMENT_PREFIX_PATH": "/opt/ros/other",
    "COLCON_PREFIX_PATH": "/ws/install",
    "ROS_DISTRO": "other",
    "RMW_IMPLEMENTATION": "rmw_other",
}


def ros_env(*command, **variables):
    return subprocess.run(
        [REPOSITORY / "tools/ros-env", *command],
        env=bare_environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def seen_variables(result):
    return dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)


def test_foreign_variables_are_removed_and_named_in_one_line():
    result = ros_env("env", **FOREIGN)
    assert not set(FOREIGN) & set(seen_variables(result))
    (line,) = result.stderr.splitlines()
    assert all(name in line.split() for name in FOREIGN)


def test_nothing_to_remove_is_not_worth_a_word():
    assert ros_env("true").stderr == ""


def test_ros_domain_id_and_other_variables_pass():
    seen = seen_variables(ros_env("env", **{**FOREIGN, "ROS_DOMAIN_ID": "42", "COLOUR": "green"}))
    assert (seen["ROS_DOMAIN_ID"], seen["COLOUR"]) == ("42", "green")


def test_settings_made_inside_survive_another_ros_env():
    """A test that sets a variable for its child processes means it."""
    result = ros_env("env", "ROS_LOG_DIR=/logs", REPOSITORY / "tools/ros-env", "env")
    assert seen_variables(result)["ROS_LOG_DIR"] == "/logs"
    assert result.stderr == ""


@pytest.mark.parametrize(("release", "folder"), [("jazzy", ".venv"), ("kilted", ".venv-kilted")])
def test_each_release_has_an_environment_of_its_own(release, folder):
    seen = seen_variables(ros_env("env", ROS_WHEELS=release))
    assert seen["VIRTUAL_ENV"] == str(REPOSITORY / folder)
    assert seen["PATH"].split(":")[0] == str(REPOSITORY / folder / "bin")


def test_an_unknown_release_is_refused():
    result = ros_env("true", ROS_WHEELS="lyrical")
    assert result.returncode != 0
    assert "jazzy" in result.stderr
