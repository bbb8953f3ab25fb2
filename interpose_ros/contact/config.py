"""Settings of contact refinement."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field


class RefinementConfig(BaseModel):
    """How much the estimate, the image and the contacts are trusted. Chosen on synthetic scenes of their own seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact_strength: float = Field(80.0, gt=0.0, description="Loss per metre between parts that touch [1/m].")
    contact_reach: float = Field(0.05, gt=0.0, description="Distance from which a contact pulls half as strongly [m].")
    orientation_stddev: float = Field(math.radians(8.0), gt=0.0, description="Error of a body's orientation [rad].")
    joint_stddev: float = Field(math.radians(20.0), gt=0.0, description="Error of a limb joint's rotation [rad].")
    torso_stddev: float = Field(
        math.radians(8.0), gt=0.0, description="Error of a spine or neck joint's rotation [rad]."
    )
    lateral_stddev: float = Field(0.05, gt=0.0, description="Error of a body's position across the view [m].")
    depth_stddev: float = Field(0.3, gt=0.0, description="Error of a body's position along the view [m].")
    shape_stddev: float = Field(0.15, gt=0.0, description="Error of a shape parameter [share of its range].")
    keypoint_stddev: float = Field(
        0.02, gt=0.0, description="Error of a key point [share of the body's size in the image]."
    )
    keypoint_weight: float = Field(0.5, ge=0.0, description="Weight of each key point beside its confidence.")
    penetration_weight: float = Field(1.0, ge=0.0, description="Weight of each point of one body inside the other.")
    iterations: int = Field(40, ge=1, le=1000, description="Most iterations per stage.")
    hold_orientation: bool = Field(False, description="Keep the bodies' orientation as estimated.")
