"""The usual way with a ROS distribution: this repository in a workspace's src folder, and colcon."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .locations import PYTHON, REPOSITORY

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(600)]
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

USE = """
import interpose_ros.geometry
from interpose_ros.msg import RelativePose
from rclpy.serialization import serialize_message
serialize_message(RelativePose())
print(interpose_ros.geometry.__file__)
"""


def installed_folders():
    return [name for name in ("launch", "config", "data") if (REPOSITORY / name).is_dir()]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with a copy of this repository, underlay and all, but nothing that make has made."""
    folder = tmp_path_factory.mktemp("workspace")
    made = shutil.ignore_patterns(".git", ".venv*", ".colcon", "out", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(REPOSITORY, folder / "src" / "interpose_ros", ignore=made, symlinks=True)
    return folder


def shell(script, folder):
    """Run a script as if the wheels were a sourced distribution, and the environment's python the system's."""
    prefix = str(Path(PYTHON).parent.parent)
    environment = {**os.environ, "AMENT_PREFIX_PATH": prefix, "CMAKE_PREFIX_PATH": prefix, "MAKEFLAGS": "-j2"}
    environment["PATH"] = os.pathsep.join([f"{prefix}/bin", os.environ["PATH"]])
    result = subprocess.run(
        ["/bin/sh", "-ec", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_colcon_sees_one_package(workspace):
    """The stand-ins of the underlay would hide the distribution's packages."""
    listed = shell("python -m colcon --log-level error list --names-only", workspace)
    assert listed.split() == ["interpose_ros"]


@pytest.mark.skipif(" " in PYTHON, reason="the setup.sh that colcon writes does not quote the interpreter's path")
def test_build_install_and_use(workspace):
    """Without links; `make env` builds with them, and all tests run on that."""
    folder = workspace / "plain"
    folder.mkdir()
    shell("python -m colcon --log-level error build --base-paths ../src --cmake-args -DBUILD_TESTING=OFF", folder)
    core = shell(f'. install/setup.sh; cd /; python -c "{USE}"', folder).strip()
    install = folder / "install" / "interpose_ros"
    assert Path(core).is_relative_to(install)
    assert not Path(core).is_symlink()
    assert os.access(install / "lib" / "interpose_ros" / "interpose_node", os.X_OK)
    for installed in ["package.xml", *installed_folders()]:
        assert (install / "share" / "interpose_ros" / installed).exists()
