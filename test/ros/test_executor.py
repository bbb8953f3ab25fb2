"""Threads that spin an executor end when they are told to, whatever has ended before."""

import threading

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from rclpy.executors import SingleThreadedExecutor

from interpose_ros.ros.executor import SpinThread

SECONDS = 5.0


@pytest.fixture
def executor():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("spun", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield executor
    context.try_shutdown()
    node.destroy_node()


def wait_until_it_spins(executor):
    done = threading.Event()
    executor.create_task(done.set)
    assert done.wait(SECONDS)


def test_it_stops_while_the_context_lives(executor):
    thread = SpinThread(executor, "spun")
    wait_until_it_spins(executor)
    assert thread.stop(SECONDS)


def test_it_stops_though_the_end_of_the_context_woke_nobody(executor):
    # As after a signal: its handler ends the context without the executors' callbacks, and try_shutdown then has none left.
    thread = SpinThread(executor, "spun")
    wait_until_it_spins(executor)
    with executor.context.handle:
        executor.context.handle.shutdown()
    executor.context.try_shutdown()
    assert thread.stop(SECONDS)
