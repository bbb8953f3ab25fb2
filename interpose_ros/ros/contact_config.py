"""Settings of the contact service. Free of ROS."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from interpose_ros.contact.language_model import LanguageModelConfig

MOST_WAITING = 8


class NodeContactConfig(BaseModel):
    """What ~/refine_contact_pose does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use: bool = Field(True, description="Offer ~/refine_contact_pose, where its body model has been prepared.")
    smplx_file: str = Field("", description="SMPL-X model file (.npz) of the user's own; empty: bodies are Anny only.")
    deadline: float = Field(
        10.0, gt=0.0, le=600.0, description="Time after which the best bodies so far are the answer [s]."
    )
    waiting: int = Field(
        2,
        ge=0,
        le=MOST_WAITING,
        description="Requests that may wait while another is answered; more are told CODE_BUSY.",
    )
    heuristic: bool = Field(
        False,
        description="With nothing known about two people, draw their whole bodies together, flagged as heuristic.",
    )
    publish_tf: bool = Field(False, description="Send frames body_<id> (REP 155) of refined bodies on /tf.")
    publish_markers: bool = Field(
        True, description="Publish refined bodies on ~/contact_markers where someone listens."
    )
    language_model: LanguageModelConfig = LanguageModelConfig()
