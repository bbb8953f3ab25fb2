"""What odometry said lately: poses of the base over time, asked for the motion between two image stamps."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field

from interpose_ros.geometry.interpolation import interpolated
from interpose_ros.geometry.se3 import is_rigid

UNKNOWN_VARIANCE = 1e3
"""Variances from here on [m^2] mean "not known", whatever a driver puts there."""

MIN_PERIOD_NS = 10_000_000
"""Poses closer in time than this add nothing between camera images; faster odometry is thinned to it."""

TRAVEL_PERIOD_NS = 100_000_000
"""The way travelled is measured over steps of at least this, or jitter of a fast odometry would add up."""

JUMP_BACK_NS = 100_000_000
"""A stamp this much older than the newest means that time began anew; less is a message that was overtaken."""


class OdometryConfig(BaseModel):
    """How long odometry is kept, and what makes it unusable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    history: float = Field(600.0, gt=0.0, description="Time that odometry is kept for [s].")
    max_samples: int = Field(60_000, ge=2, description="Most poses that are kept; the oldest go.")
    max_gap: float = Field(
        0.2, gt=0.0, description="Longest time between the odometry messages around an image; no scale beyond it [s]."
    )
    max_speed: float = Field(
        40.0,
        gt=0.0,
        description="A faster step means that the odometry was set anew, and what came before is forgotten [m/s].",
    )


@dataclass(frozen=True)
class NoScale:
    """No length, and a sentence why.

    Attributes:
        text: the sentence.
        contradiction: by how many standard deviations the source contradicts the images; 0 where it only does not tell.
    """

    text: str
    contradiction: float = 0.0


@dataclass(frozen=True, eq=False)
class BaseMotion:
    """How the base moved between the stamps of two images, says odometry.

    Attributes:
        T_odom_base_a, T_odom_base_b: poses of the base in the odometry's fixed frame, metres.
        travelled: length of the way between, metres.
        covariance: by how much the position's covariance that odometry reports grew from the earlier image to the later;
            zero where it reports none. Errors of successive steps add up, so this is the displacement's.
    """

    T_odom_base_a: Float[np.ndarray, "4 4"]
    T_odom_base_b: Float[np.ndarray, "4 4"]
    travelled: float
    covariance: Float[np.ndarray, "3 3"]

    @property
    def displacement(self) -> Float[np.ndarray, "3"]:
        """From the base's position at A to that at B, in the odometry's fixed frame, metres."""
        return self.T_odom_base_b[:3, 3] - self.T_odom_base_a[:3, 3]


@dataclass(frozen=True, eq=False)
class _Sample:
    T_odom_base: Float[np.ndarray, "4 4"]
    covariance: Float[np.ndarray, "3 3"]


class OdometryTrack:
    """Poses of the base over the last minutes. Not thread-safe: its owner holds the lock."""

    def __init__(self, config: OdometryConfig) -> None:
        self._config = config
        self._stamps_ns: list[int] = []
        self._samples: list[_Sample] = []

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest pose; None where there is none."""
        return self._stamps_ns[-1] if self._stamps_ns else None

    def __len__(self) -> int:
        return len(self._stamps_ns)

    def add(
        self,
        stamp_ns: int,
        T_odom_base: Float[np.ndarray, "4 4"],
        covariance: Float[np.ndarray, "3 3"] | None = None,
    ) -> None:
        """Add a pose of the base in the odometry's fixed frame, with the covariance of its position where that is known.

        Everything earlier is forgotten where time goes back, and where the position jumps: a length across that would
        be made up.

        Raises:
            ValueError: the pose is not finite or not rigid.
        """
        if not is_rigid(T_odom_base):
            raise ValueError(f"the pose at {np.asarray(T_odom_base)[:3, 3].tolist()} is not a finite rigid transform")
        if self._stamps_ns:
            passed_ns = stamp_ns - self._stamps_ns[-1]
            step = float(np.linalg.norm(T_odom_base[:3, 3] - self._samples[-1].T_odom_base[:3, 3]))
            if passed_ns < -JUMP_BACK_NS:
                self.clear()
            elif passed_ns < MIN_PERIOD_NS:
                return
            elif step > self._config.max_speed * passed_ns * 1e-9:
                self.clear()
        self._stamps_ns.append(int(stamp_ns))
        self._samples.append(_Sample(np.array(T_odom_base, dtype=np.float64), _known(covariance)))
        self._drop_old()

    def clear(self) -> None:
        """Forget everything."""
        self._stamps_ns.clear()
        self._samples.clear()

    def motion(self, stamp_a_ns: int, stamp_b_ns: int) -> BaseMotion | NoScale:
        """The base's motion from image A to image B, whichever is the earlier."""
        a, b = self._sample_at(stamp_a_ns), self._sample_at(stamp_b_ns)
        if isinstance(a, NoScale):
            return a
        if isinstance(b, NoScale):
            return b
        earlier, later = (a, b) if stamp_a_ns <= stamp_b_ns else (b, a)
        first_ns, last_ns = sorted((stamp_a_ns, stamp_b_ns))
        return BaseMotion(
            a.T_odom_base,
            b.T_odom_base,
            travelled=self._travelled(first_ns, earlier, last_ns, later),
            covariance=_growth(earlier.covariance, later.covariance),
        )

    def _sample_at(self, stamp_ns: int) -> _Sample | NoScale:
        """Pose and covariance at a stamp, interpolated between the messages around it."""
        after = bisect.bisect_left(self._stamps_ns, stamp_ns)
        if after < len(self._stamps_ns) and self._stamps_ns[after] == stamp_ns:
            return self._samples[after]
        when = f"{stamp_ns * 1e-9:.3f} s"
        if not self._stamps_ns:
            return NoScale(f"there is no odometry around the image at {when}")
        if after == 0:
            return NoScale(f"odometry begins at {self._stamps_ns[0] * 1e-9:.3f} s, after the image at {when}")
        if after == len(self._stamps_ns):
            return NoScale(f"odometry ends at {self._stamps_ns[-1] * 1e-9:.3f} s, before the image at {when}")
        first_ns, second_ns = self._stamps_ns[after - 1], self._stamps_ns[after]
        if second_ns - first_ns > self._config.max_gap * 1e9:
            return NoScale(
                f"odometry has a gap of {(second_ns - first_ns) * 1e-9:.3f} s around the image at {when}: "
                f"at most {self._config.max_gap:g} s are allowed"
            )
        share = (stamp_ns - first_ns) / (second_ns - first_ns)
        first, second = self._samples[after - 1], self._samples[after]
        return _Sample(
            interpolated(first.T_odom_base, second.T_odom_base, share),
            (1 - share) * first.covariance + share * second.covariance,
        )

    def _travelled(self, first_ns: int, first: _Sample, last_ns: int, last: _Sample) -> float:
        positions, previous_ns = [first.T_odom_base[:3, 3]], first_ns
        low, high = bisect.bisect_right(self._stamps_ns, first_ns), bisect.bisect_left(self._stamps_ns, last_ns)
        for stamp_ns, sample in zip(self._stamps_ns[low:high], self._samples[low:high], strict=True):
            if stamp_ns - previous_ns >= TRAVEL_PERIOD_NS:
                positions.append(sample.T_odom_base[:3, 3])
                previous_ns = stamp_ns
        positions.append(last.T_odom_base[:3, 3])
        return float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())

    def _drop_old(self) -> None:
        oldest_ns = self._stamps_ns[-1] - int(self._config.history * 1e9)
        too_old = max(bisect.bisect_left(self._stamps_ns, oldest_ns), len(self._stamps_ns) - self._config.max_samples)
        if too_old > 0:
            del self._stamps_ns[:too_old]
            del self._samples[:too_old]


def _known(covariance: Float[np.ndarray, "3 3"] | None) -> Float[np.ndarray, "3 3"]:
    """The covariance, or zeros where it says nothing."""
    if covariance is None or not np.all(np.isfinite(covariance)):
        return np.zeros((3, 3))
    variances = np.diag(covariance)
    if np.any(variances < 0) or np.any(variances >= UNKNOWN_VARIANCE):
        return np.zeros((3, 3))
    return np.asarray(covariance, dtype=np.float64)


def _growth(earlier: Float[np.ndarray, "3 3"], later: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The part of ``later - earlier`` that is a covariance: one that shrank (a filter saw a landmark) adds nothing."""
    difference = later - earlier
    values, vectors = np.linalg.eigh((difference + difference.T) / 2)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T
