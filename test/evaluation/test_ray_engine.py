"""Jobs on a real Ray cluster of this machine, whose workers are killed."""

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="the engine ray is optional: pip install 'interpose-ros[ray]'")

from interpose_ros.config import InterposeConfig
from interpose_ros.engine.protocol import Engine, Finished, Lost, Task
from interpose_ros.engine.ray_engine import EngineError, RayEngine

JOBS = 12
KILLED_ONCE, DEADLY, WORKERS = 4, 7, 2


@pytest.fixture(scope="module")
def cluster():
    """A cluster of this machine, for all tests here."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def task_of(folder):
    """Functions made here, so that they travel by value: workers cannot import tests."""

    def build(config):
        with (folder / "built").open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        return os.getpid()

    def work(pid, job):
        assert pid == os.getpid()
        with (folder / f"did-{job}").open("a") as stream:
            stream.write(f"{pid}\n")
        if job == DEADLY or (job == KILLED_ONCE and len((folder / f"did-{job}").read_text().split()) == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if job < 0:
            raise FileNotFoundError(f"there is no {job}")
        return job * job

    return Task(build, work, InterposeConfig())


def test_killed_workers_lose_no_job_and_stop_nothing(cluster, tmp_path):
    engine = RayEngine(workers=WORKERS)
    assert isinstance(engine, Engine)
    outcomes = list(engine.run(task_of(tmp_path), range(JOBS)))
    assert sorted(outcome.job for outcome in outcomes) == list(range(JOBS))
    finished = {o.job: o.result for o in outcomes if isinstance(o, Finished)}
    assert finished == {job: job * job for job in range(JOBS) if job != DEADLY}
    (lost,) = (o for o in outcomes if isinstance(o, Lost))
    assert lost.job == DEADLY
    assert "3 workers died" in lost.reason

    done = {job: (tmp_path / f"did-{job}").read_text().split() for job in range(JOBS)}
    assert {job: len(pids) for job, pids in done.items() if len(pids) != 1} == {KILLED_ONCE: 2, DEADLY: 3}
    built = (tmp_path / "built").read_text().split()
    assert len(built) == len(set(built)), "every worker builds its tools once"
    assert {pid for pids in done.values() for pid in pids} <= set(built)
    assert WORKERS <= len(built) <= WORKERS + 1 + 3, "one more worker for every death"


def test_an_error_of_the_work_is_raised_here(cluster, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no -1"):
        list(RayEngine(workers=1).run(task_of(tmp_path), [1, -1]))


def test_nothing_to_do_needs_no_cluster():
    assert list(RayEngine("ray://nobody.invalid:1").run(task_of(Path()), [])) == []


def test_fewer_than_one_worker_is_refused():
    with pytest.raises(EngineError, match="at least one worker"):
        RayEngine(workers=0)
