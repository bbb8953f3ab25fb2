"""Settings of how the node finds metric lengths. Free of ROS."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from interpose_ros.rig import Baseline
from interpose_ros.scale_depth import DepthScaleConfig


class NodeDepthConfig(DepthScaleConfig):
    """What the node takes from depth images, and what it expects of them."""

    use: bool = Field(True, description="Take the length of translations from depth, where that is published.")
    max_time_difference: float = Field(
        0.02, ge=0.0, description="Longest time between an image and the depth image that is taken for it [s]."
    )
    wait: float = Field(
        0.3, ge=0.0, description="Longest wait for a depth image that is late, when an answer is finished [s]."
    )
    megabytes: float = Field(
        256.0, gt=0.0, description="Depth images held, those of keyframes and the latest others [MB]; the oldest go."
    )


class NodeScaleConfig(BaseModel):
    """Lengths from elsewhere, and what contradictions do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    baselines: tuple[str, ...] = Field(
        (),
        description="Cameras that are mounted rigidly together, by their optical frames: ['left right 0.12'], or with the "
        "error 'left right 0.12 0.001' [m].",
    )
    baseline_max_time_difference: float = Field(
        0.005, ge=0.0, description="A baseline counts for images at most this far apart [s]."
    )
    use_model: bool = Field(True, description="Take the length that a metric network gives, where nothing measures it.")
    model_relative_stddev: float = Field(
        0.1, gt=0.0, le=1.0, description="Error of such a length, standard deviation, as a share of it; not fitted."
    )
    lower_confidence: bool = Field(
        True,
        description="Lower the confidence of a pose that odometry's turn, depth or several lengths contradict. False where "
        "odometry has no orientation to speak of.",
    )

    @field_validator("baselines")
    @classmethod
    def _baselines_are_readable(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            Baseline.parse(text)
        return texts
