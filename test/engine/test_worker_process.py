"""A worker process: what it costs when it is killed, hangs, sends rubbish, or runs out of memory; real processes."""

import contextlib
import dataclasses
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from interpose_ros.engine.messages import FailureKind
from interpose_ros.engine.outbox import Outbox
from interpose_ros.engine.worker_process import WorkerProcess
from interpose_ros.engine.worker_status import CancelledJob, WorkerFailure, WorkerLimits, WorkerState
from interpose_ros.geometry.camera import Camera
from interpose_ros.views import KeyframeId, View

START = 60.0
LIMITS = WorkerLimits(first_restart=0.05, last_restart=0.2, cancel=0.3)


@pytest.fixture(scope="module")
def toy():
    """The class of a workload, importable by the processes, too."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        import toy_workloads

        yield toy_workloads.Toy
    finally:
        sys.path.pop(0)


@pytest.fixture
def started(toy, tmp_path):
    """Makes workers, and ends them."""
    with contextlib.ExitStack() as stack:

        def start(limits=LIMITS, **options):
            log = []
            worker = WorkerProcess("toy", toy(str(tmp_path / "starts"), **options), limits, log.append)
            worker.start()
            stack.callback(lambda: assert_stopped(worker))
            worker.log = log
            return worker

        yield start


def assert_stopped(worker):
    process = worker.status.process_id
    assert worker.stop(10.0)
    assert worker.status.state is WorkerState.STOPPED
    assert not exists(process)


def exists(process: int) -> bool:
    if not process:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def shared(toy):
    """One worker for all tests that leave it alive."""
    worker = WorkerProcess("toy", toy(), dataclasses.replace(LIMITS, cancel=60.0), lambda text: None)
    worker.start()
    yield worker
    assert_stopped(worker)


def picture(value: int) -> View:
    camera = Camera(np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]), 64, 48)
    return View(np.full((48, 64, 3), value, np.uint8), camera, KeyframeId("camera", value))


def failure(worker, *job) -> WorkerFailure:
    with pytest.raises(WorkerFailure) as caught:
        worker.run(job)
    return caught.value


def test_a_job_comes_back_with_arrays_of_any_size(shared):
    assert shared.run(("echo", {"a": [1, "b"]})) == {"a": [1, "b"]}
    array = np.arange(3_000_000, dtype=np.float64).reshape(1000, 3000)
    assert np.array_equal(shared.run(("echo", array)), array)
    assert shared.run(("echo", np.zeros((0, 3)))).shape == (0, 3)


def test_a_worker_may_answer_before_its_job_has_been_handed_over(started, monkeypatch):
    worker = started()
    put = Outbox.put

    def put_and_wait(outbox, message):
        put(outbox, message)
        time.sleep(0.3)  # as if another thread were switched to just then

    monkeypatch.setattr(Outbox, "put", put_and_wait)
    assert [worker.run(("echo", k)) for k in range(3)] == [0, 1, 2]
    assert worker.status.restarts == 0


def test_the_process_is_clean(shared):
    arguments, ignores_interrupts = shared.run(("arguments",))
    assert arguments[0] == "-c"
    assert arguments[2:] == [str(os.getpid()), "toy"]
    assert ignores_interrupts
    modules = shared.run(("modules",))
    assert not [name for name in modules if name.split(".")[0] in {"rclpy", "torch", "sensor_msgs", "pytest"}]
    process = shared.run(("pid",))
    assert process == shared.status.process_id != os.getpid()
    assert Path(f"/proc/{process}/comm").read_text().strip() == "toy"
    assert int(Path(f"/proc/{process}/oom_score_adj").read_text()) >= 500
    descriptors = {str(path.readlink()) for path in Path(f"/proc/{process}/fd").iterdir() if path.exists()}
    assert sum(name.startswith("socket:") for name in descriptors) == 1


def test_an_exception_costs_one_job_and_not_the_process(shared):
    process = shared.run(("pid",))
    error = failure(shared, "raise", "no such toy")
    assert error.kind is FailureKind.ERROR
    assert "ValueError: no such toy" in str(error)
    error = failure(shared, "unpicklable")
    assert error.kind is FailureKind.ERROR
    assert "cannot be sent" in str(error)
    with pytest.raises(TypeError, match="pickle"):
        shared.run(("echo", threading.Lock()))
    assert shared.run(("pid",)) == process


def test_a_view_is_sent_once_and_comes_back_as_the_same_object(shared):
    one, other = picture(1), picture(2)
    total, identity = shared.run(("sum_of_view", one))
    assert total == 48 * 64 * 3
    assert shared.run(("sum_of_view", one)) == (total, identity)
    assert shared.run(("sum_of_view", other))[0] == 2 * total
    returned = shared.run(("return_view", one))
    assert returned["same"] is one
    assert returned["again"] is one


def test_questions_of_a_job_are_answered_or_refused(shared):
    assert shared.run(("ask", 20), answer=lambda question: question + 1) == 21

    def refuse(question):
        raise KeyError(question)

    with pytest.raises(WorkerFailure, match="QuestionFailed: KeyError: 'x'"):
        shared.run(("ask", "x"), answer=refuse)
    with pytest.raises(WorkerFailure, match="nobody answers"):
        shared.run(("ask", "x"))
    with pytest.raises(WorkerFailure, match="cannot be sent"):
        shared.run(("ask", "x"), answer=lambda question: threading.Lock())


def test_a_job_that_listens_ends_with_its_best_result(shared):
    process, bests, stages = shared.run(("pid",)), [], []
    with pytest.raises(CancelledJob) as caught:
        shared.run(
            ("until_cancelled",),
            best=bests.append,
            progress=lambda stage, fraction: stages.append((stage, fraction)),
            cancelled=lambda: bool(stages),
        )
    assert caught.value.best == "ended early"
    assert bests == ["so far"]
    assert stages == [("waiting", 0.5)]
    assert shared.run(("pid",)) == process


def test_cancelled_while_it_asks(shared):
    asked = threading.Event()

    def never(question):
        asked.set()
        raise KeyError  # answered by an error, which the toy does not survive; cancelled before

    with pytest.raises((CancelledJob, WorkerFailure)):
        shared.run(("ask_for_ever",), answer=never, cancelled=asked.is_set)
    assert shared.run(("echo", 1)) == 1


def test_urgent_jobs_go_first(shared):
    order, release = [], threading.Event()
    holds = threading.Event()

    def hold():
        with contextlib.suppress(CancelledJob):
            shared.run(("until_cancelled",), best=lambda _: holds.set(), cancelled=release.is_set)

    def do(name, is_urgent):
        shared.run(("echo", name), is_urgent=is_urgent)
        order.append(name)

    threads = [threading.Thread(target=hold)]
    threads[0].start()
    assert holds.wait(20)
    for name, is_urgent in (("first", False), ("second", False), ("urgent", True)):
        threads.append(threading.Thread(target=do, args=(name, is_urgent)))
        threads[-1].start()
        count = len(threads) - 1
        deadline = time.monotonic() + 10
        while len(shared._turns._urgent) + len(shared._turns._others) < count and time.monotonic() < deadline:
            time.sleep(0.005)
    with pytest.raises(CancelledJob):  # who waits for a turn can give up, too
        shared.run(("echo", 1), cancelled=lambda: True)
    release.set()
    for thread in threads:
        thread.join(20)
    assert order == ["urgent", "first", "second"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_killed_worker_costs_one_job(started, number, tmp_path):
    worker = started()
    error = failure(worker, "die", number)
    assert error.kind is FailureKind.DIED
    assert number.name in str(error)
    assert worker.run(("echo", 1)) == 1
    status = worker.status
    assert status.restarts == 1
    assert number.name in status.last_failure
    assert (tmp_path / "starts").read_text() == "xx"
    assert any("started again" in line for line in worker.log)


def test_killed_while_nothing_is_done_costs_nothing(started):
    worker = started()
    process = worker.run(("pid",))
    os.kill(process, signal.SIGKILL)
    worker.wait_until(lambda status: status.restarts == 1, START)
    assert worker.run(("pid",)) != process


@pytest.mark.parametrize(
    "data",
    [
        b"rubbish" * 100,  # claims a length of gigabytes
        b"\x00\x00\x00\x04\xff\xff\xff\xff",  # 2**32 arrays
        b"\x00\x00\x00\x02ab",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x05nosuc",  # no pickle
        b"\x00\x00\x00\x0c\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f",  # an array of exabytes
    ],
)
def test_rubbish_costs_one_job(started, data):
    worker = started()
    error = failure(worker, "garbage", data)
    assert error.kind is FailureKind.GARBLED, error
    assert worker.run(("echo", 1)) == 1


def test_objects_that_are_no_messages_cost_one_job(started):
    worker = started()
    error = failure(worker, "foreign_message")
    assert error.kind is FailureKind.GARBLED
    assert "dict" in str(error)
    assert worker.run(("echo", 1)) == 1


def test_a_worker_without_signs_of_life_is_replaced(started):
    worker = started(dataclasses.replace(LIMITS, heartbeat=2.0))
    assert worker.run(("echo", 1)) == 1
    error = failure(worker, "freeze")
    assert error.kind is FailureKind.HUNG
    assert worker.run(("echo", 1)) == 1


def test_a_job_without_progress_is_given_up(started):
    worker = started(dataclasses.replace(LIMITS, stall=0.5))
    assert worker.run(("echo", 1)) == 1
    error = failure(worker, "deaf")
    assert error.kind is FailureKind.HUNG
    assert "no progress" in str(error)
    assert worker.run(("echo", 1)) == 1


def test_a_job_that_does_not_listen_is_cancelled_within_a_second(started):
    worker = started()
    stages, began = [], []

    def cancelled():
        if stages and not began:
            began.append(time.monotonic())
        return bool(stages)

    with pytest.raises(CancelledJob) as caught:
        worker.run(("deaf",), progress=lambda *stage: stages.append(stage), cancelled=cancelled)
    assert time.monotonic() - began[0] < 1.0
    assert caught.value.best == "so far"
    assert worker.run(("echo", 1)) == 1
    assert worker.status.restarts == 1


def test_without_memory_less_is_tried_once(started):
    worker = started()
    assert worker.run(("memory", True)) == "with less"
    assert worker.status.reduced == "half as many toys"
    assert any("no toys left" in line for line in worker.log)
    error = failure(worker, "memory", False)
    assert error.kind is FailureKind.OUT_OF_MEMORY
    assert worker.status.restarts == 0


def test_models_that_cannot_be_loaded_are_not_tried_again(started, tmp_path):
    worker = started(load_error="the checkpoint is no checkpoint")
    status = worker.wait_until(lambda status: status.state is WorkerState.FAILED, START)
    assert status.text == "the checkpoint is no checkpoint"
    assert status.checked
    error = failure(worker, "echo", 1)
    assert error.kind is FailureKind.MODEL
    assert (tmp_path / "starts").read_text() == "x"


def test_restarts_wait_longer_and_longer(started):
    worker = started(dataclasses.replace(LIMITS, first_restart=0.05, last_restart=0.1))
    for _ in range(3):
        process = worker.wait_until(lambda status: bool(status.process_id), START).process_id
        os.kill(process, signal.SIGKILL)
        worker.wait_until(lambda status, gone=process: status.process_id != gone, START)
    worker.wait_until(lambda status: status.state is WorkerState.READY, START)
    waits = [float(line.split()[-2]) for line in worker.log if "started again" in line]
    assert waits == [0.05, 0.1, 0.1]


def test_stopping_fails_the_job_in_hand(started):
    worker = started()
    errors, begun = [], threading.Event()

    def run():
        try:
            worker.run(("deaf",), best=lambda _: begun.set())
        except WorkerFailure as error:
            errors.append(error.kind)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(START)
    assert worker.stop(10.0)
    thread.join(10)
    assert errors == [FailureKind.STOPPED]
    assert failure(worker, "echo", 1).kind is FailureKind.STOPPED


def test_warnings_of_the_work_reach_the_owner(started):
    worker = started()
    worker.run(("warn", "few toys are left"))
    assert any("few toys are left" in line for line in worker.log)


def test_a_worker_ends_with_its_owner(tmp_path):
    read, write = os.pipe()
    owner = os.fork()
    if owner == 0:  # never returns to pytest
        try:
            import subprocess

            os.close(read)
            program = (
                f"import sys, os, signal; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
                "from toy_workloads import Toy\n"
                "from interpose_ros.engine.worker_process import WorkerProcess\n"
                "from interpose_ros.engine.worker_status import WorkerLimits\n"
                "worker = WorkerProcess('toy', Toy(), WorkerLimits(), print)\n"
                "worker.start()\n"
                f"os.write({write}, str(worker.run(('pid',))).encode() + b' ')\n"
                "os.kill(os.getpid(), signal.SIGKILL)\n"
            )
            subprocess.run([sys.executable, "-c", program], pass_fds=(write,), check=False)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        worker = int(pipe.read())  # until both have closed it; the worker never had it
    os.waitpid(owner, 0)
    deadline = time.monotonic() + 20
    while exists(worker) and Path(f"/proc/{worker}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the worker has outlived its owner"
        time.sleep(0.02)
