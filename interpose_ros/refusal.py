"""An honest "no": the value that stands where an estimate failed. It holds no pose, so none can be mistaken for one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class RefusalReason(str, Enum):
    """Why there is no answer. The ROS message has a status constant for each."""

    NO_OVERLAP = "no_overlap"
    INCONSISTENT = "inconsistent"
    AMBIGUOUS = "ambiguous"
    LOW_CONFIDENCE = "low_confidence"
    BAD_INPUT = "bad_input"
    CAMERA_INFO = "camera_info"
    CANCELLED = "cancelled"
    MODEL = "model"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Refusal:
    """No answer, and why.

    Attributes:
        reason: for programs.
        text: a sentence for people: what was found, and what would have been needed.
    """

    reason: RefusalReason
    text: str
