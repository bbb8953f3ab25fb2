"""How right a set of answers is: from rows with errors to the figures that papers and users compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from interpose_ros.evaluation.metrics import area_under_recall, larger_error, mean_of_finite, median_of_finite, recall

RECALL_LIMITS_DEG = (5, 15, 30)
AUC_LIMITS_DEG = (5, 10, 20, 30)


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Errors of one answer per pair, in degrees. Infinite: a miss. NaN: the true translation has no direction.

    Attributes:
        rotation: geodesic.
        translation: angle of the signed directions.
        translation_sign_blind: angle of the lines.
    """

    rotation: Float[np.ndarray, "n"]
    translation: Float[np.ndarray, "n"]
    translation_sign_blind: Float[np.ndarray, "n"]

    def rows(self, chosen: Int[np.ndarray, "k"]) -> Accuracy:
        """The errors of the given rows."""
        return Accuracy(self.rotation[chosen], self.translation[chosen], self.translation_sign_blind[chosen])

    def area(self, limit: float) -> float:
        """Area under recall of the larger of both errors."""
        return area_under_recall(larger_error(self.rotation, self.translation), limit)

    def area_minimum(self, limit: float) -> float:
        """The smaller of the areas of rotation and translation, as PoseCrafter reports it; of rotation alone where no
        true translation has a direction."""
        areas = (area_under_recall(self.rotation, float(limit)), area_under_recall(self.translation, float(limit)))
        return float(np.fmin(*areas))

    def summary(self) -> dict[str, Any]:
        """All figures, by the names of summary.json."""
        answered = int(np.isfinite(self.rotation).sum())
        return {
            "answered": answered,
            "refused": len(self.rotation) - answered,
            "mre_deg": mean_of_finite(self.rotation),
            "mte_deg": {
                "signed": mean_of_finite(self.translation),
                "sign_blind": mean_of_finite(self.translation_sign_blind),
            },
            "median_rotation_deg": median_of_finite(self.rotation),
            "recall_deg": {
                str(limit): {
                    "rotation": recall(self.rotation, float(limit)),
                    "translation": recall(self.translation, float(limit)),
                }
                for limit in RECALL_LIMITS_DEG
            },
            "auc": {str(limit): self.area(float(limit)) for limit in AUC_LIMITS_DEG},
            "auc30_min": self.area_minimum(30.0),
        }


def accuracy_of(answers: Sequence[Mapping[str, Any] | None], pairs: Sequence[Mapping[str, Any]]) -> Accuracy:
    """Errors of one answer per pair.

    Args:
        answers: rows, candidates of rows, or None, with ``rotation_error_deg``, ``translation_error_deg`` and
            ``translation_error_sign_blind_deg``; missing errors are misses.
        pairs: the rows that say whether the true translation has a direction.
    """
    rotation, signed, sign_blind = (
        np.array(
            [np.inf if answer is None or answer[name] is None else answer[name] for answer in answers], dtype=np.float64
        )
        for name in ("rotation_error_deg", "translation_error_deg", "translation_error_sign_blind_deg")
    )
    without = np.array([not pair["true_direction"] for pair in pairs], dtype=bool)
    signed[without], sign_blind[without] = np.nan, np.nan
    return Accuracy(rotation, signed, sign_blind)


def accuracy_figures(accuracy: Accuracy) -> dict[str, float]:
    """The figures of ``Accuracy.summary`` without nesting, by their names with dots in between."""
    return dict(_flat("", accuracy.summary()))


def _flat(prefix: str, content: Mapping[str, Any]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in content.items():
        path = f"{prefix}{name}"
        found += _flat(f"{path}.", value) if isinstance(value, Mapping) else [(path, float(value))]
    return [(name, value) for name, value in found if name not in ("answered", "refused")]
