"""How far the vote of one clip is trusted, from its bridge: 0 to 1, and no probability.

Every factor is a ramp between a value at which nothing is left of the trust and one at which it is whole. The values were
chosen on views from panoramas; docs/selection.md says on which, and what came out on others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

RAMPS: tuple[tuple[str, float, float], ...] = (
    ("log_bridge_inliers", math.log(20.0), math.log(60.0)),
    ("bridge_coverage", 0.08, 0.2),
    ("bridge_ratio", 0.3, 0.6),
    ("closure", 0.35, 0.55),
    ("agreement", 0.85, 0.97),
)
"""Evidence, the value that gives no trust, and the value that gives full trust."""

D_MED_FULL, D_MED_NONE = math.radians(9.0), math.radians(18.0)
"""InterPose's mean distance of the medoid to the other subset poses, up to which trust is whole, and at which it ends."""

D_MED_ALONE = 0.5 * D_MED_FULL
"""The same distance up to which one clip may end the search by itself; beyond, a second one has to say the same."""

LAST_MISSED = 0.6
"""Factor for a clip whose own last frame is not the keyframe that it was given; not fitted."""

JUMP_FULL, JUMP_NONE = 8.0, 24.0
"""Jump at a seam, relative to the steps within, up to which trust is whole, and at which it ends; not fitted."""


def bridge_trust(evidence: Mapping[str, float]) -> float:
    """Product of the ramps; 0 where a number of the bridge is missing."""
    measured = {
        **evidence,
        "log_bridge_inliers": math.log(max(evidence.get("bridge_inliers", 0.0), 1.0)),
        "agreement": 1.0 - evidence.get("contradiction", math.nan),
    }
    # Subset poses, where they were made, must not be all over the place; directions make their distances larger.
    d_med = evidence.get("d_med", 0.0)
    trust = min(max((D_MED_NONE - d_med) / (D_MED_NONE - D_MED_FULL), 0.0), 1.0)
    trust *= _trust_in_findings(evidence)
    for name, none, full in RAMPS:
        value = measured.get(name, math.nan)
        if math.isnan(value):
            return 0.0
        trust *= min(max((value - none) / (full - none), 0.0), 1.0)
    return trust


def _trust_in_findings(findings: Mapping[str, float]) -> float:
    """What the interpolator found out counts too, gently: a clip that ends or begins with a jump may still lead there."""
    trust = 1.0 if findings.get("last_reached", 1.0) > 0.0 else LAST_MISSED
    jumps = [findings.get(name, math.nan) for name in ("seam_a_jump", "seam_b_jump")]
    worst = max((jump for jump in jumps if math.isfinite(jump)), default=1.0)
    return trust * min(max((JUMP_NONE - worst) / (JUMP_NONE - JUMP_FULL), 0.0), 1.0)
