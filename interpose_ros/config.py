"""Every setting of the core, once. ROS parameters, CLI options, the YAML in ``config/`` and the table in the docs derive
from these models."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    """A group of settings; unknown names are errors, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureConfig(_Section):
    """Local features and their matches."""

    max_keypoints: int = Field(2048, ge=64, le=16384, description="Most keypoints per image.")
    max_image_side: int = Field(1024, ge=64, le=8192, description="Images are reduced to this longer side [px] first.")
    min_match_score: float = Field(0.1, ge=0.0, le=1.0, description="Matches below this matcher score are dropped.")
    cache_megabytes: float = Field(256.0, ge=0.0, description="Memory kept for features and matches [MB].")
    device: str = Field("cpu", description="Torch device of the matching networks: cpu, cuda, cuda:1 ...")


class TwoViewConfig(_Section):
    """Relative pose of two views from matches."""

    max_epipolar_error: float = Field(
        1.5, gt=0.0, le=20.0, description="Largest distance of a match to the pose [px of an image of reference size]."
    )
    reference_image_side: int = Field(640, ge=64, description="Longer side of the reference image size [px].")
    keypoint_noise: float = Field(
        1.0,
        gt=0.0,
        description="Keypoint error that model selection assumes at least [px of an image of reference size]; parallax "
        "below about twice this counts as rotation.",
    )
    min_inliers: int = Field(15, ge=8, description="Fewest matches that must agree on a pose.")
    focal_tolerance: float = Field(
        0.06, ge=0.0, le=0.3, description="Relative error of the calibrated focal length that pure rotation allows for."
    )
    max_direction_stddev: float = Field(
        math.radians(20.0),
        gt=0.0,
        description="Largest predicted error of the translation direction [rad]; beyond it none is given.",
    )


class FramesConfig(_Section):
    """Which of the frames in between are used, and how."""

    max_frames: int = Field(24, ge=1, le=200, description="Most frames in between that one estimate uses.")
    strong_link_inliers: int = Field(
        150,
        ge=8,
        description="Verified matches that make two frames a strong link; fewer are bridged by a frame between.",
    )
    strong_link_coverage: float = Field(
        0.3, ge=0.0, le=1.0, description="Share of the image that the matches of a strong link cover."
    )
    min_link_inliers: int = Field(30, ge=8, description="Fewest verified matches that link two frames.")
    skip: int = Field(3, ge=1, le=10, description="Frames up to this many steps apart are matched to close loops.")
    max_link_disagreement: float = Field(
        math.radians(8.0), gt=0.0, description="Links whose rotation differs more from the others [rad] are dropped."
    )


class DecisionConfig(_Section):
    """What an answer must show before it is given.

    Values come from views cut from panoramas; the desk sequence had been seen by then.
    """

    min_inliers: int = Field(40, ge=8, description="Fewest verified matches behind a pose from two keyframes.")
    min_coverage: float = Field(0.2, ge=0.0, le=1.0, description="Least share of either image that they cover.")
    min_inlier_ratio: float = Field(0.5, ge=0.0, le=1.0, description="Least share of all matches that agree.")
    min_match_score: float = Field(0.3, ge=0.0, le=1.0, description="Least mean matcher score of those that agree.")
    min_bridge_inliers: int = Field(40, ge=8, description="Fewest verified matches on the weakest link of a bridge.")
    min_bridge_coverage: float = Field(0.12, ge=0.0, le=1.0, description="Least share of the image on that link.")
    min_bridge_score: float = Field(0.3, ge=0.0, le=1.0, description="Least mean matcher score on that link.")
    max_disagreement: float = Field(
        math.radians(8.0), gt=0.0, description="Largest difference between chained and jointly solved rotation [rad]."
    )


class InterposeConfig(_Section):
    """All settings of the pipeline."""

    features: FeatureConfig = FeatureConfig()
    two_view: TwoViewConfig = TwoViewConfig()
    frames: FramesConfig = FramesConfig()
    decision: DecisionConfig = DecisionConfig()
