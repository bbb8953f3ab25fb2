"""Figures that papers published for their protocols, to stand beside one's own.

Only what is printed there. The papers drew their own pairs and published no list, so another draw by the same protocol may
differ by chance; recipes differ too. Nothing here was run with this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INTERPOSE = "InterPose (Cai et al., CVPR 2025)"
POSECRAFTER = "PoseCrafter (Mao et al., NeurIPS 2025)"


@dataclass(frozen=True)
class PublishedFigures:
    """A row of a published table; None where the source does not say.

    Attributes:
        method: as the source calls it.
        source: paper.
        mre_deg, mte_deg: mean rotation and translation direction error; the latter blind to the sign.
        auc30: smaller of both areas under recall up to 30 degrees, in percent.
    """

    method: str
    source: str
    mre_deg: float | None
    mte_deg: float | None = None
    auc30: float | None = None


PUBLISHED: Mapping[str, tuple[PublishedFigures, ...]] = {
    "cambridge-50-65": (
        PublishedFigures("DUSt3R, pair", INTERPOSE, 13.28, None, 77.23),
        PublishedFigures("InterPose, Runway", INTERPOSE, 10.78, None, 80.59),
        PublishedFigures("InterPose, Dream Machine", INTERPOSE, 11.96),
        PublishedFigures("oracle", INTERPOSE, 3.65),
        PublishedFigures("DUSt3R, pair", POSECRAFTER, 18.14, None, 61.98),
        PublishedFigures("InterPose reproduced, DynamiCrafter", POSECRAFTER, 13.61, None, 70.47),
        PublishedFigures("PoseCrafter", POSECRAFTER, 11.40, None, 77.41),
    ),
    "cambridge-65-90": (
        PublishedFigures("DUSt3R, pair", POSECRAFTER, 51.24),
        PublishedFigures("InterPose reproduced, DynamiCrafter", POSECRAFTER, 38.87),
        PublishedFigures("PoseCrafter", POSECRAFTER, 29.02),
    ),
    "scannet-50-65": (
        PublishedFigures("DUSt3R, pair", INTERPOSE, 21.31, 24.72, 60.34),
        PublishedFigures("InterPose, DynamiCrafter", INTERPOSE, 18.96, 16.42, 62.14),
        PublishedFigures("InterPose, Dream Machine", INTERPOSE, 17.65, 15.88, 63.06),
        PublishedFigures("oracle", INTERPOSE, 5.80, 5.00, 81.19),
        PublishedFigures("DUSt3R, pair", POSECRAFTER, 19.41, 25.23),
        PublishedFigures("InterPose reproduced, DynamiCrafter", POSECRAFTER, 15.15, 23.89),
        PublishedFigures("PoseCrafter", POSECRAFTER, 10.77, 22.14),
    ),
    "scannet-65-90": (
        PublishedFigures("DUSt3R, pair", POSECRAFTER, 30.82),
        PublishedFigures("InterPose reproduced, DynamiCrafter", POSECRAFTER, 28.22),
        PublishedFigures("PoseCrafter", POSECRAFTER, 17.02),
    ),
    "dl3dv-50-90": (
        PublishedFigures("DUSt3R, pair", INTERPOSE, 10.72, 13.08, 66.99),
        PublishedFigures("InterPose, Dream Machine", INTERPOSE, 9.13, 8.72, 69.44),
        PublishedFigures("DUSt3R, pair", POSECRAFTER, 13.36),
        PublishedFigures("InterPose reproduced, DynamiCrafter", POSECRAFTER, 13.17),
        PublishedFigures("PoseCrafter", POSECRAFTER, 12.73),
    ),
    "navi-50-90": (
        PublishedFigures("DUSt3R, pair", INTERPOSE, 8.65, 7.88),
        PublishedFigures("InterPose, Dream Machine", INTERPOSE, 7.85, 6.51),
        PublishedFigures("DUSt3R, pair", POSECRAFTER, 7.30),
        PublishedFigures("InterPose reproduced, DynamiCrafter", POSECRAFTER, 6.61),
        PublishedFigures("PoseCrafter", POSECRAFTER, 5.97),
    ),
}
"""By the protocol that a pair file names: data set and yaw bin in degrees."""
