"""What all tests share: a ROS domain of their own for every run, and which tests need the ROS packages."""

import importlib.util
import os
import secrets
import socket

import pytest

from interpose_ros.engine.process_settings import keep_freed_blocks

HAS_ROS = importlib.util.find_spec("rclpy") is not None

# ROS's own domain_coordinator, which not every release's wheels have, reserves a domain in this way and at these ports.
FIRST_PORT = 32768
DOMAINS = range(1, 101)

reservation = socket.socket()


def reserve_domain() -> int:
    """A ROS domain that no other run on this machine has; the bound port keeps it until the process ends."""
    for domain in DOMAINS:
        try:
            reservation.bind(("", FIRST_PORT + domain))
        except OSError:
            continue
        return domain
    raise RuntimeError(f"all ROS domains from {DOMAINS[0]} to {DOMAINS[-1]} are taken by other test runs")


def pytest_configure():
    """Keep this run's ROS processes, which inherit these variables, and those of others apart."""
    os.environ["ROS_DOMAIN_ID"] = str(reserve_domain())
    # Nothing of a robot or a colleague on the same network reaches a test, and no test reaches them.
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    # One token for the Ray clusters of this run and all that connect to them. Without, Ray makes one in the user's home, two
    # processes that do so at the same time have different ones, and one that was started before knows of none.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    keep_freed_blocks()  # as the programs do


def pytest_unconfigure():
    """Give the domain back."""
    reservation.close()


def pytest_collection_modifyitems(items):
    """Without ROS packages the core's tests still run; the others are skipped by name."""
    if HAS_ROS:
        return
    for item in items:
        if item.get_closest_marker("ros"):
            item.add_marker(pytest.mark.skip(reason="rclpy is not installed here"))
