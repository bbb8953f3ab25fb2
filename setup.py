"""The ROS-free core for pip; all metadata is in pyproject.toml. colcon builds from package.xml and CMakeLists.txt."""

from setuptools import setup

setup()
