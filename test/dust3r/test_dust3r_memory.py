"""The estimate of memory bounds what a run really allocates."""

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from interpose_ros.config import Dust3rInferenceConfig
from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.inference import complete_pairs, predict_pairs
from interpose_ros.dust3r.memory import MemoryModel
from interpose_ros.dust3r.preprocess import PreparedView
from interpose_ros.geometry.camera import Camera
from interpose_ros.views import KeyframeId, View

from .dust3r_networks import random_network


def peak_bytes(run: object) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


@pytest.mark.parametrize("head_type", ["linear", "dpt"])
def test_measured_peak_stays_within_the_allowance(head_type: str) -> None:
    """Widths in proportion to the public checkpoints; many pairs, so that batches are as large as allowed."""
    config = NetworkConfig(
        img_size=(224, 224), head_type=head_type, enc_embed_dim=256, enc_depth=2, enc_num_heads=4, dec_embed_dim=192,
        dec_depth=4, dec_num_heads=3,
    )  # fmt: skip
    network = random_network(config)
    rng = np.random.default_rng(0)
    camera = Camera(np.array([[200, 0, 80], [0, 200, 64], [0, 0, 1.0]]), 160, 128)
    views = []
    for k in range(5):
        pixels = rng.integers(0, 256, (128, 160, 3), dtype=np.uint8)
        views.append(PreparedView(View(pixels, camera, KeyframeId("camera", k)), pixels, camera))
    memory = MemoryModel(config, torch.float32)
    kept = 5 * memory.features(128, 160) + 20 * memory.pointmaps(128, 160)
    allowed = kept + 6 * memory.decoding(128, 160)
    pairs = complete_pairs(range(5))
    # Rotary tables and the like are there from the first run on.
    predict_pairs(network, views, pairs[:1])
    peak = peak_bytes(
        lambda: predict_pairs(network, views, pairs, Dust3rInferenceConfig(memory_megabytes=allowed / 2**20, stride=1))
    )
    print(f"peak {peak / 2**20:.1f} MiB, allowed {allowed / 2**20:.1f} MiB")
    assert peak < allowed
    assert peak > 0.3 * allowed, "batches could be larger"
