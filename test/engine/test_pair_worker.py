"""Pairs in a process of their own, with the real networks: the same answers as in this one."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from interpose_ros.config import InterposeConfig
from interpose_ros.engine.pair_work import loads_quickly
from interpose_ros.engine.pair_worker import PairWorker
from interpose_ros.engine.smaller import smaller_config
from interpose_ros.engine.worker_status import WorkerLimits, WorkerState
from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.refusal import RefusalReason
from interpose_ros.selection.budget import Budget
from interpose_ros.views import KeyframeId, View

sys.path.insert(0, str(Path(__file__).parents[1] / "ros"))
import room

LIMITS = WorkerLimits()
CONFIG = InterposeConfig.model_validate({"features": {"second_opinion": False}})


def view(k: int) -> View:
    """The room from places that see the same wall; k = 0 and k = 4 share nothing."""
    R_w_c = Rotation.from_euler("y", 22.0 * k, degrees=True).as_matrix()
    pixels = room.picture(R_w_c, np.array([0.25 * k - 0.5, 0.0, -1.0]))
    return View(pixels, Camera(room.K, room.WIDTH, room.HEIGHT), KeyframeId("camera", k))


@pytest.fixture(scope="module")
def worker():
    log = []
    worker = PairWorker(CONFIG, LIMITS, log.append)
    assert worker.wait_until_usable().state is WorkerState.READY, log
    yield worker
    assert worker.stop(10.0)


def test_near_pairs_need_no_frames(worker):
    a, b = view(0), view(1)
    asked, stages = [], []
    answer = worker.estimate(
        a,
        b,
        [LazyView(KeyframeId("camera", 9), lambda: asked.append(1))],
        progress=lambda *stage: stages.append(stage),
    )
    assert answer.estimate is not None, answer.refusal
    error = Rotation.from_matrix(answer.estimate.R_b_a) * Rotation.from_euler("y", 22.0, degrees=True)
    assert np.degrees(error.magnitude()) < 2
    assert not asked
    assert stages[0] == ("overlap", 0.0)
    assert "xfeat" in worker.status.models.lower()


def test_wide_pairs_ask_for_the_frames_that_they_use(worker):
    views = [view(k) for k in range(5)]
    loaded = []

    def load(k):
        loaded.append(k)
        return views[k]

    frames = [LazyView(views[k].keyframe_id, lambda k=k: load(k)) for k in (1, 2, 3)]
    bests = []
    answer = worker.estimate(views[0], views[4], frames, best=bests.append)
    assert loaded
    assert len(loaded) == len(set(loaded))  # each is asked for once
    assert {frame.keyframe_id for frame in answer.frames_used} <= {views[k].keyframe_id for k in loaded}
    assert all(any(frame is held for held in views) for frame in answer.frames_used)  # no copies of pixels came back
    assert bests
    assert bests[0].estimate is None
    assert answer.best_so_far is None
    # The other way round, the same frames serve.
    back = worker.estimate(views[4], views[0], frames)
    assert back.keyframe_a == views[4].keyframe_id
    if answer.estimate is not None and back.estimate is not None:
        product = answer.estimate.R_b_a @ back.estimate.R_b_a
        assert np.degrees(Rotation.from_matrix(product).magnitude()) < 3


def test_a_budget_ends_with_the_best_so_far(worker):
    views = [view(k) for k in range(5)]
    frames = [LazyView(views[k].keyframe_id, lambda k=k: views[k]) for k in (1, 2, 3)]
    answer = worker.estimate(views[0], views[4], frames, budget=Budget(seconds=1e-6))
    assert answer.refusal is not None
    assert answer.refusal.reason is RefusalReason.CANCELLED
    assert answer.best_so_far is not None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"estimator": "dust3r", "dust3r": {"weights": "/nowhere/at/all.pth"}}, "/nowhere/at/all.pth"),
        ({"features": {"device": "nonsense"}}, "nonsense"),
    ],
)
def test_what_cannot_be_loaded_is_said(settings, told):
    worker = PairWorker(InterposeConfig.model_validate(settings), LIMITS, lambda text: None)
    try:
        with pytest.raises(ValueError, match=told):
            worker.wait_until_usable()
    finally:
        assert worker.stop(10.0)


def test_less_memory_is_less_of_everything():
    config = InterposeConfig()
    smaller, text = smaller_config(config)
    assert smaller.features.max_image_side == 768
    assert smaller.dust3r.inference.memory_megabytes == 2048
    assert smaller.dust3r.max_frames == 3
    assert smaller.decision == config.decision
    assert "features.max_image_side is 768" in text
    assert smaller.video == config.video
    video = InterposeConfig.model_validate({"video": {"preset": "any"}})
    assert not loads_quickly(video)
    assert smaller_config(video)[0].video.runtime.offload == "model"
    tiny = smaller_config(InterposeConfig.model_validate({"features": {"max_image_side": 200}}))[0]
    assert tiny.features.max_image_side == 200
