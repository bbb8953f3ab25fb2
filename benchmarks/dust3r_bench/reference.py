"""The reference implementation with its documented settings, and conversions from and to what it takes and gives."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.cpu import pack_for_cpu
from interpose_ros.dust3r.inference import PairPredictions
from interpose_ros.dust3r.network import Dust3rNetwork
from interpose_ros.dust3r.preprocess import PreparedView

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "parity"))
import dust3r_reference

DEFAULT_BATCH = 8
"""The reference's default; larger ones gain nothing on a CPU."""


@dataclass(frozen=True)
class Networks:
    """The reference's network and ours, with the same random weights."""

    reference: nn.Module
    ours: Dust3rNetwork


class Reference:
    """The reference on one device."""

    def __init__(self, folder: Path, device: str) -> None:
        os.environ[dust3r_reference.ENVIRONMENT_VARIABLE] = str(folder)
        self._device = device
        with contextlib.redirect_stdout(io.StringIO()):
            self._inference = dust3r_reference.load_reference("inference").inference
            self._make_pairs = dust3r_reference.load_reference("image_pairs").make_pairs
            cloud = dust3r_reference.load_reference("cloud_opt")
        self._aligner, self._mode = cloud.global_aligner, cloud.GlobalAlignerMode.PointCloudOptimizer

    def networks(self, config: NetworkConfig) -> Networks:
        """Both networks; ours as the estimator runs it."""
        torch.manual_seed(0)
        reference = dust3r_reference.build_reference(config).to(self._device)
        ours = Dust3rNetwork(config).eval().requires_grad_(False).to(self._device)
        state = reference.state_dict()
        ours.load_state_dict({name: state[name] for name in ours.state_dict()})
        return Networks(reference, pack_for_cpu(ours))

    def complete_pairs(self, views: Sequence[PreparedView]) -> list:
        """Both orders of all pairs, as the reference lists them."""
        return self._make_pairs(as_reference_images(views), scene_graph="complete", symmetrize=True)

    def run(self, pairs: list, network: nn.Module, batch: int = DEFAULT_BATCH) -> dict[str, Any]:
        """Its inference."""
        with contextlib.redirect_stdout(io.StringIO()):
            return self._inference(pairs, network, self._device, batch_size=batch, verbose=False)

    def align(self, output: dict[str, Any], focals: list[float]) -> np.ndarray:
        """Camera-to-world poses with the documented settings, intrinsics given."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            scene = self._aligner(output, device=self._device, mode=self._mode, verbose=False)
            scene.preset_focal(focals)
            scene.compute_global_alignment(init="mst", niter=300, schedule="cosine", lr=0.01)
        return scene.get_im_poses().detach().cpu().numpy().astype(np.float64)


def as_reference_images(views: Sequence[PreparedView]) -> list[dict[str, Any]]:
    """Images as the reference's loader gives them."""
    return [
        {
            "img": view.as_tensor()[None],
            "true_shape": np.int32([view.pixels.shape[:2]]),
            "idx": k,
            "instance": str(k),
        }
        for k, view in enumerate(views)
    ]


def as_reference_output(predictions: PairPredictions, subset: Sequence[int]) -> dict[str, Any]:
    """Known pointmaps as the reference's network would have given them, pairs in its order."""
    n = len(subset)
    order = [(i, j) for i in range(n) for j in range(i)]
    order += [(j, i) for i, j in order]
    maps = [predictions[subset[i], subset[j]] for i, j in order]
    height, width = maps[0].confidence_first.shape

    def view(numbers: list[int]) -> dict[str, Any]:
        return {
            "img": torch.zeros(len(numbers), 3, height, width),
            "true_shape": torch.tensor([[height, width]] * len(numbers), dtype=torch.int32),
            "idx": numbers,
            "instance": [str(k) for k in numbers],
        }

    return {
        "view1": view([i for i, _ in order]),
        "view2": view([j for _, j in order]),
        "pred1": {
            "pts3d": torch.stack([m.points_first for m in maps]),
            "conf": torch.stack([m.confidence_first for m in maps]),
        },
        "pred2": {
            "pts3d_in_other_view": torch.stack([m.points_second for m in maps]),
            "conf": torch.stack([m.confidence_second for m in maps]),
        },
        "loss": None,
    }


def largest_difference(output: dict[str, Any], predictions: PairPredictions, subset: Sequence[int]) -> float:
    """Largest distance between both networks' points over the pointmap's root mean square length."""
    worst = 0.0
    for row, (i, j) in enumerate(zip(output["view1"]["idx"], output["view2"]["idx"], strict=True)):
        maps = predictions[subset[int(i)], subset[int(j)]]
        for mine, theirs in (
            (maps.points_first, output["pred1"]["pts3d"][row]),
            (maps.points_second, output["pred2"]["pts3d_in_other_view"][row]),
        ):
            scale = theirs.square().sum(-1).mean().sqrt()
            worst = max(worst, float((mine.cpu() - theirs.cpu()).norm(dim=-1).max() / scale))
    return worst
