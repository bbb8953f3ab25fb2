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
    ("agreement", 0.75, 0.95),
)
"""Evidence, the value that gives no trust, and the value that gives full trust."""

D_MED_FULL, D_MED_NONE = math.radians(9.0), math.radians(18.0)
"""InterPose's mean distance of the medoid to the other subset poses, up to which trust is whole, and at which it ends."""


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
    for name, none, full in RAMPS:
        value = measured.get(name, math.nan)
        if math.isnan(value):
            return 0.0
        trust *= min(max((value - none) / (full - none), 0.0), 1.0)
    return trust
