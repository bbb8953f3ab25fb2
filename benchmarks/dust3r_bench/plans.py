"""Which subsets of a keyframe pair's frames are run, and how many forward passes that takes."""

from __future__ import annotations

import numpy as np

from interpose_ros.dust3r.inference import complete_pairs

CLIPS, SUBSETS, BETWEEN = 4, 11, 3
ENCODE, DECODE = 303.1, 227.6
"""Parameters in millions, each used once per token: encoder, and both decoders with their heads."""


class Plan:
    """Subsets of views. View 0 is A, view 1 is B, clip c has the views from ``2 + c * frames``."""

    def __init__(self, subsets: list[list[int]]) -> None:
        self.subsets = subsets
        self.all_pairs = sorted({pair for subset in subsets for pair in complete_pairs(subset)})
        self.pairs = len(self.all_pairs)
        self.images = len({view for subset in subsets for view in subset})
        self.directed = sum(len(subset) * (len(subset) - 1) for subset in subsets)

    @classmethod
    def random(cls, frames: int, count: int = SUBSETS) -> Plan:
        """Random frames of each clip, and the uniform ones last."""
        rng = np.random.default_rng(frames)
        subsets = []
        for clip in range(CLIPS):
            first = 2 + clip * frames
            for _ in range(count - 1):
                subsets.append([0, *(first + np.sort(rng.choice(frames, BETWEEN, replace=False))).tolist(), 1])
            uniform = np.rint(np.linspace(-1, frames, BETWEEN + 2)).astype(int)[1:-1]
            subsets.append([0, *(first + uniform).tolist(), 1])
        return cls(subsets)

    @classmethod
    def grid(cls, frames: int, count: int = SUBSETS) -> Plan:
        """The same number of different subsets, from five frames of each clip that all of them share."""
        subsets = []
        for clip in range(CLIPS):
            shared = 2 + clip * frames + np.rint(np.linspace(-1, frames, 7)).astype(int)[1:-1]
            triples = [[a, b, c] for a in range(5) for b in range(a + 1, 5) for c in range(b + 1, 5)]
            # Ten triples; the eleventh subset takes all five.
            chosen = [*triples, list(range(5))][:count]
            subsets += [[0, *shared[positions].tolist(), 1] for positions in chosen]
        return cls(subsets)

    def arithmetic_ratio(self) -> float:
        """Multiplications of the reference over ours: the speed-up at equal efficiency."""
        return self.directed * (2 * ENCODE + DECODE) / (self.images * ENCODE + self.pairs * DECODE)

    def counts(self) -> dict[str, int]:
        """Forward passes: ours, and directed pairs of the reference."""
        return {"images": self.images, "pairs": self.pairs, "reference_pairs": self.directed}


def clip_views(clip: int, frames: int) -> list[int]:
    """Numbers of the keyframes and of one clip's frames."""
    first = 2 + clip * frames
    return [0, 1, *range(first, first + frames)]
