"""What all tests share: a ROS domain of their own for every run, and which tests need the ROS packages."""

import contextlib
import importlib.util
import os

import pytest

resources = contextlib.ExitStack()
HAS_ROS = importlib.util.find_spec("rclpy") is not None


def pytest_configure():
    """Take a ROS domain that no other run on this machine has; the tests' own processes inherit it."""
    if HAS_ROS:
        from domain_coordinator import domain_id

        os.environ["ROS_DOMAIN_ID"] = str(resources.enter_context(domain_id()))
        # Nothing of a robot or a colleague on the same network reaches a test, and no test reaches them.
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def pytest_unconfigure():
    """Give the domain back."""
    resources.close()


def pytest_collection_modifyitems(items):
    """Without ROS packages the core's tests still run; the others are skipped by name."""
    if HAS_ROS:
        return
    for item in items:
        if item.get_closest_marker("ros"):
            item.add_marker(pytest.mark.skip(reason="rclpy is not installed here"))
