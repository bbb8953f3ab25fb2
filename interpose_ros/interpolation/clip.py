"""A clip: frames that lead from keyframe A to keyframe B, and where they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from interpose_ros.views import KeyframeId, View


class ClipDirection(str, Enum):
    """How a clip was made. Its frames always run from A to B."""

    FORWARD = "forward"
    BACKWARD = "backward"


@dataclass(frozen=True)
class ClipOrigin:
    """Where a clip came from, in enough detail to make it again.

    Attributes:
        interpolator: name of the interpolator.
        clip_id: identifier of the clip's content.
        direction: backward clips were made from B to A and are read in reverse.
        generated: True for imagined frames, False for frames that a camera saw.
        settings: model, revision, seed, prompt and whatever else decided the content.
    """

    interpolator: str
    clip_id: str
    direction: ClipDirection = ClipDirection.FORWARD
    generated: bool = False
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class LazyView:
    """A frame that is decoded only when it is looked at, so that a long stream can be offered and few frames used."""

    keyframe_id: KeyframeId
    load: Callable[[], View]


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames between A and B, in order from A to B, without A and B themselves.

    Attributes:
        frames: decoded when they are looked at.
        origin: where they came from.
        findings: named numbers that the interpolator found out about the clip, as evidence for selection; for generated
            clips see ``clip_checks``. Empty for frames that a camera saw.
        next_at_hand: whether the interpolator's next clip is there already, so that both may be looked at before either
            is judged.
    """

    frames: Sequence[LazyView]
    origin: ClipOrigin = field(default_factory=lambda: ClipOrigin("recorded", ""))
    findings: Mapping[str, float] = field(default_factory=dict)
    next_at_hand: bool = False

    def __len__(self) -> int:
        return len(self.frames)


@runtime_checkable
class Interpolator(Protocol):
    """Offers clips between two keyframes, the most promising first. Each is made when it is asked for."""

    name: str

    def clips(self, view_a: View, view_b: View) -> Iterator[Clip]:
        """Clips from A to B, possibly none."""
        ...
