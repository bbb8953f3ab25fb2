"""Settings of the contact service. Free of ROS."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from interpose_ros.config import LIVE
from interpose_ros.contact.language_model import LanguageModelConfig

MOST_WAITING = 8


class NodeContactConfig(BaseModel):
    """What ~/refine_contact_pose does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use: bool = Field(True, description="Offer ~/refine_contact_pose, where its body model has been prepared.")
    start: Literal["request", "configure"] = Field(
        "request",
        description="When the process with the body models is started: with the first request, which then waits for it, or "
        "when the node is configured.",
    )
    smplx_file: str = Field("", description="SMPL-X model file (.npz) of the user's own; empty: bodies are Anny only.")
    deadline: float = Field(
        10.0,
        gt=0.0,
        le=600.0,
        description="Time after which the best bodies so far are the answer [s].",
        json_schema_extra=LIVE,
    )
    waiting: int = Field(
        2,
        ge=0,
        le=MOST_WAITING,
        description="Requests that may wait while another is answered; more are told CODE_BUSY.",
        json_schema_extra=LIVE,
    )
    heuristic: bool = Field(
        False,
        description="With nothing known about two people, draw their whole bodies together, flagged as heuristic.",
    )
    publish_tf: bool = Field(
        False, description="Send frames body_<id> (REP 155) of refined bodies on /tf.", json_schema_extra=LIVE
    )
    publish_markers: bool = Field(
        True,
        description="Publish refined bodies on ~/contact_markers where someone listens.",
        json_schema_extra=LIVE,
    )
    language_model: LanguageModelConfig = LanguageModelConfig()
