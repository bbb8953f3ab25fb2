"""How a user writes pairs of keyframes: ``"camera@12.5 camera@14.033211"``, or stamps alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from interpose_ros.views import KeyframeId

_NAME = re.compile(r"(?:(?P<frame_id>[^@\s]+)@)?(?P<sec>\d{1,10})(?:\.(?P<fraction>\d{1,9}))?")


@dataclass(frozen=True)
class ListedKeyframe:
    """A keyframe as it was written: ``frame_id`` is None where any camera is meant."""

    frame_id: str | None
    stamp_ns: int

    def matches(self, name: KeyframeId) -> bool:
        """Whether this names a keyframe."""
        return self.stamp_ns == name.stamp_ns and self.frame_id in (None, name.frame_id)


ListedPair = tuple[ListedKeyframe, ListedKeyframe]


def parse_pair(text: str) -> ListedPair:
    """Two keyframes, A and B, with a space between. Stamps are seconds with up to nine decimals, as the log has them.

    Raises:
        ValueError: it is not written so, or both are the same.
    """
    words = text.split()
    found = [_NAME.fullmatch(word) for word in words]
    if len(found) != 2 or None in found:
        raise ValueError(
            f"'{text}' is no pair: write two keyframes as FRAME_ID@SECONDS or SECONDS (up to nine decimals), with a space "
            "between"
        )
    first, second = (_keyframe(match) for match in found if match is not None)
    if first == second:
        raise ValueError(f"'{text}' pairs a keyframe with itself")
    return first, second


def _keyframe(match: re.Match[str]) -> ListedKeyframe:
    nanoseconds = int((match["fraction"] or "0").ljust(9, "0"))
    return ListedKeyframe(match["frame_id"], int(match["sec"]) * 10**9 + nanoseconds)
