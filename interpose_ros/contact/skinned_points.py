"""From skinning weights to points that hang on few joints.

A mesh's bones (fingers, toes, eyes among them) are put together into the joints that can be turned. What a bone carries is
fixed relative to its joint for one shape, so putting bones together loses nothing as long as they are not turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class PointTable:
    """Points as sums over (source, bone) contributions, sorted by point.

    A source is a vertex, or after the vertices a bone's head. For point n and the k-th joint it belongs to, its local
    position is the sum of ``coefficients * (source carried by bone)`` over the contributions with that point and slot.
    """

    starts: Int[torch.Tensor, "n1"]
    slots: Int[torch.Tensor, "c"]
    sources: Int[torch.Tensor, "c"]
    bones: Int[torch.Tensor, "c"]
    coefficients: Float[torch.Tensor, "c"]
    weights: Float[torch.Tensor, "n k"]
    joints: Int[torch.Tensor, "n k"]

    def select(self, points: Int[torch.Tensor, "m"]) -> tuple[torch.Tensor, torch.Tensor]:
        """Contributions of the chosen points, and the place of each one's point among the chosen."""
        counts = self.starts[points + 1] - self.starts[points]
        place = torch.repeat_interleave(torch.arange(len(points)), counts)
        first = torch.cumsum(counts, 0) - counts
        return torch.arange(int(counts.sum())) - first[place] + self.starts[points][place], place


def point_table(
    rows: Int[torch.Tensor, "c"],
    sources: Int[torch.Tensor, "c"],
    bones: Int[torch.Tensor, "c"],
    coefficients: Float[torch.Tensor, "c"],
    joint_of_bone: Int[torch.Tensor, "b"],
    count: int,
) -> PointTable:
    """Sort contributions (point, source, bone, coefficient) into a table; the coefficients of a point sum to 1."""
    joint_count = int(joint_of_bone.max()) + 1
    joint = joint_of_bone[bones]
    key = rows * joint_count + joint
    order = torch.argsort(key, stable=True)
    rows, sources, bones, coefficients, key = rows[order], sources[order], bones[order], coefficients[order], key[order]
    groups, group_of = torch.unique_consecutive(key, return_inverse=True)
    total = torch.zeros(len(groups), dtype=coefficients.dtype).index_add_(0, group_of, coefficients)
    group_row = groups // joint_count
    per_point = torch.bincount(group_row, minlength=count)
    slot_of_group = torch.arange(len(groups)) - (torch.cumsum(per_point, 0) - per_point)[group_row]
    width = int(per_point.max())
    weights = torch.zeros(count, width, dtype=coefficients.dtype)
    joints = torch.zeros(count, width, dtype=torch.long)
    weights[group_row, slot_of_group] = total
    joints[group_row, slot_of_group] = groups % joint_count
    counts = torch.bincount(rows, minlength=count)
    starts = torch.cat([torch.zeros(1, dtype=torch.long), torch.cumsum(counts, 0)])
    return PointTable(starts, slot_of_group[group_of], sources, bones, coefficients / total[group_of], weights, joints)
