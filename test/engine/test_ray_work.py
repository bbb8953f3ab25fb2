"""Work in an actor of a real Ray cluster of this machine, which is killed, cancelled, and not there at all."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

ray = pytest.importorskip("ray", reason="the engine ray is optional: pip install 'interpose-ros[ray]'")

from interpose_ros.config import InterposeConfig
from interpose_ros.engine.messages import FailureKind
from interpose_ros.engine.pair_worker import MOST_DEATHS, PairWorker
from interpose_ros.engine.ray_work import RayWork
from interpose_ros.engine.worker_process import WorkerProcess
from interpose_ros.engine.worker_status import CancelledJob, WorkerFailure, WorkerLimits, WorkerState
from interpose_ros.geometry.camera import Camera
from interpose_ros.views import KeyframeId, View

START = 60.0
LIMITS = WorkerLimits(first_restart=0.05, last_restart=0.2, cancel=5.0)


@pytest.fixture(scope="module")
def toy():
    """The class of a workload, importable by the processes and in the cluster, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import toy_workloads

        yield toy_workloads.Toy


@pytest.fixture(scope="module")
def cluster(toy):
    """Address of a cluster of this machine."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@contextlib.contextmanager
def working(work, limits=LIMITS):
    log = []
    worker = WorkerProcess("toy", work, limits, log.append)
    worker.log = log
    worker.start()
    yield worker
    assert worker.stop(10.0)


@pytest.fixture(scope="module")
def shared(toy, cluster):
    """One worker for all tests here."""
    with working(RayWork(toy(), cluster, 0, 30.0)) as worker:
        status = worker.wait_until(lambda now: now.state is not WorkerState.LOADING, START)
        assert status.state is WorkerState.READY, (status, worker.log)
        assert status.models == "toy"
        yield worker


def failure(worker, *job) -> WorkerFailure:
    with pytest.raises(WorkerFailure) as caught:
        worker.run(job)
    return caught.value


def picture(value: int) -> View:
    camera = Camera(np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]), 64, 48)
    return View(np.full((48, 64, 3), value, np.uint8), camera, KeyframeId("camera", value))


def test_jobs_are_done_in_the_cluster_and_ask_from_there(shared):
    process = shared.run(("pid",))
    assert process not in (os.getpid(), shared.status.process_id)
    assert Path(f"/proc/{process}/cmdline").read_text().startswith("ray::")
    array = np.arange(300_000, dtype=np.float64)
    assert np.array_equal(shared.run(("echo", array)), array)
    assert shared.run(("ask", 20), answer=lambda question: question + 1) == 21

    def refuse(question):
        raise LookupError("nobody knows")

    with pytest.raises(WorkerFailure, match="nobody knows"):
        shared.run(("ask", 20), answer=refuse)


def test_a_view_is_sent_once_and_comes_back_as_itself(shared):
    view = picture(3)
    total, there = shared.run(("sum_of_view", view))
    assert total == 3 * 48 * 64 * 3
    assert shared.run(("sum_of_view", view))[0] == total
    result = shared.run(("return_view", view))
    assert result["same"] is view
    assert result["again"] is view
    assert there != id(view)
    frame = picture(4)
    assert shared.run(("ask", "frame"), answer=lambda question: frame) is frame


def test_a_cancelled_job_gives_its_best_within_a_second(shared):
    progress, best = [], []
    began = time.monotonic()

    def cancelled():
        return bool(best and progress)

    with pytest.raises(CancelledJob) as caught:
        shared.run(
            ("until_cancelled",), progress=lambda *now: progress.append(now), best=best.append, cancelled=cancelled
        )
    assert caught.value.best in ("so far", "ended early")
    assert best == ["so far"]
    assert progress == [("waiting", 0.5)]
    assert time.monotonic() - began < 5.0
    assert shared.run(("echo", 1)) == 1
    assert shared.status.restarts == 0


def test_errors_there_are_errors_here(shared):
    error = failure(shared, "raise", "the toy is broken")
    assert error.kind is FailureKind.ERROR
    assert str(error) == "ValueError: the toy is broken"
    assert shared.run(("memory", True)) == "with less"
    assert shared.status.reduced == "half as many toys"


def test_an_actor_that_is_killed_costs_one_job(shared):
    before = shared.run(("pid",))
    error = failure(shared, "die", signal.SIGKILL)
    assert error.kind is FailureKind.DIED
    assert "has lost the work" in str(error)
    after = shared.run(("pid",))
    assert after != before
    assert shared.status.restarts == 1
    assert "has lost the work" in shared.status.last_failure


def test_a_cluster_that_is_not_there_is_asked_three_times_and_then_said(toy):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{taken.getsockname()[1]}"
        log = []
        worker = PairWorker(InterposeConfig(), LIMITS, log.append, address)
        with pytest.raises(ValueError, match=f"no Ray cluster answers at {address}"):
            worker.wait_until_usable()
        assert worker.status.restarts >= MOST_DEATHS
        assert worker.stop(10.0)
    assert sum("started again" in text for text in log) >= MOST_DEATHS


@contextlib.contextmanager
def serving(cluster, port):
    """What ``ray start --ray-client-server-port`` starts, for connections from machines outside of the cluster."""
    command = [sys.executable, "-m", "ray.util.client.server", "--address", cluster, "--port", str(port)]
    process = subprocess.Popen([*command, "--host", "127.0.0.1"])
    try:
        deadline = time.monotonic() + START
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_connection_that_is_lost_costs_one_job_and_is_made_again(toy, cluster):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with working(RayWork(toy(), f"ray://127.0.0.1:{port}", 0, 30.0)) as worker:
        with serving(cluster, port) as server:
            assert worker.run(("ask", picture(5)), answer=lambda view: int(view.image[0, 0, 0])) == 5
            restarts = worker.status.restarts
            lost = []
            waiting = threading.Thread(target=lambda: lost.append(failure(worker, "until_cancelled")))
            waiting.start()
            worker.wait_until(lambda now: now.state is WorkerState.BUSY, START)
            server.kill()
            waiting.join(START)
        assert lost[0].kind is FailureKind.DIED
        assert "has lost the work" in str(lost[0])
        with serving(cluster, port):
            assert worker.run(("echo", "again")) == "again"
        assert worker.status.restarts > restarts


def test_without_ray_the_reason_says_how_to_get_it(toy, tmp_path, monkeypatch):
    (tmp_path / "ray.py").write_text("raise ImportError(\"No module named 'ray'\")\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with working(RayWork(toy(), "127.0.0.1:1", 0, 5.0)) as worker:
        status = worker.wait_until(lambda now: now.state is WorkerState.FAILED, START)
    assert status.state is WorkerState.FAILED
    assert "pip install 'interpose-ros[ray]'" in status.text
