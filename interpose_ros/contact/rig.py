"""Bodies that move by joints: kinematics, skinned points and their analytic derivatives, in torch and batched.

A body stands in a frame of its own choosing (the camera's, usually): the root joint lies at ``translation``, and every
joint turns what hangs on it by a rotation relative to the model's reference pose, about axes that are those of the model
(the root's: of the frame). With ``G_j`` the rotation of joint j in the frame and ``p`` its parent,

    G_j = G_p D_j,    w_j = w_p + G_p o_j,    x = sum over k of W_k (G_k l_k + w_k)

for a joint's position ``w_j`` and a skinned point ``x`` that belongs to joints k with weights ``W_k``. Offsets ``o`` and
local positions ``l`` depend on the body's shape alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints of a body model.

    Attributes:
        names: of the joints; the first one is the root.
        parents: index of each joint's parent, which comes before it; -1 for the root.
        free: which joints a fit may turn (the root is among them); the others keep their rotation.
        limit_axes: rows are the axes along which the limits of a joint's rotation vector are given, in model coordinates.
        limit_low, limit_high: range of the rotation vector along those axes, in radians.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    free: Bool[torch.Tensor, "j"]
    limit_axes: Float[torch.Tensor, "j 3 3"]
    limit_low: Float[torch.Tensor, "j 3"]
    limit_high: Float[torch.Tensor, "j 3"]

    def __post_init__(self) -> None:
        if self.parents[0] != -1 or any(not 0 <= p < j for j, p in enumerate(self.parents) if j):
            raise ValueError("joints must be listed with the root first and every parent before its children")

    @cached_property
    def levels(self) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
        """Joints of equal depth below the root, and their parents."""
        depth = [0] * len(self.parents)
        for joint, parent in enumerate(self.parents[1:], start=1):
            depth[joint] = depth[parent] + 1
        of_level = [[j for j, d in enumerate(depth) if d == level] for level in range(1, max(depth) + 1)]
        return tuple((torch.tensor(js), torch.tensor([self.parents[j] for j in js])) for js in of_level)

    @cached_property
    def carries(self) -> Float[torch.Tensor, "j j"]:
        """1 where turning the joint of the row moves what belongs to the joint of the column."""
        count = len(self.parents)
        carries = torch.eye(count, dtype=torch.float64)
        for joint in range(1, count):
            carries[:, joint] = torch.maximum(carries[:, joint], carries[:, self.parents[joint]])
        return carries

    @cached_property
    def free_joints(self) -> Int[torch.Tensor, "f"]:
        """Indices of the joints that a fit may turn."""
        return torch.nonzero(self.free)[:, 0]

    @cached_property
    def parent_index(self) -> Int[torch.Tensor, "j"]:
        """Parents, the root's being itself."""
        return torch.tensor([max(p, 0) for p in self.parents])


@dataclass(frozen=True, eq=False)
class BodyParameters:
    """A batch of bodies of one model.

    Attributes:
        translation: position of the root joint, in metres, in the frame that the bodies stand in.
        rotations: of every joint relative to the reference pose; that of the root is the body's orientation in the frame.
        shape: parameters of the model's shape.
    """

    translation: Float[torch.Tensor, "b 3"]
    rotations: Float[torch.Tensor, "b j 3 3"]
    shape: Float[torch.Tensor, "b s"]

    def __len__(self) -> int:
        return len(self.translation)

    def __getitem__(self, index: slice | torch.Tensor) -> BodyParameters:
        return BodyParameters(self.translation[index], self.rotations[index], self.shape[index])

    def repeat(self, count: int) -> BodyParameters:
        """A batch of ``count`` times this one body.

        Raises:
            ValueError: this is a batch of several.
        """
        if len(self) != 1:
            raise ValueError(f"one body can be repeated, this is a batch of {len(self)}")
        return BodyParameters(
            self.translation.expand(count, -1).clone(),
            self.rotations.expand(count, -1, -1, -1).clone(),
            self.shape.expand(count, -1).clone(),
        )

    def detached(self) -> BodyParameters:
        """The same without a graph behind it."""
        return BodyParameters(self.translation.detach(), self.rotations.detach(), self.shape.detach())


@dataclass(frozen=True, eq=False)
class ShapedPoints:
    """Chosen points of bodies whose shape is settled, ready to be posed; optionally linearised in the shape.

    Attributes:
        base_shape: shape that the values hold for.
        offsets: of each joint from its parent in the reference pose (the root's is zero).
        local: position of each point relative to each joint it belongs to, in the reference pose.
        weights, joints: those joints; unused places have weight 0.
        offsets_by_shape, local_by_shape: derivatives by the shape parameters, or None.
    """

    base_shape: Float[torch.Tensor, "b s"]
    offsets: Float[torch.Tensor, "b j 3"]
    local: Float[torch.Tensor, "b n k 3"]
    weights: Float[torch.Tensor, "n k"]
    joints: Int[torch.Tensor, "n k"]
    offsets_by_shape: Float[torch.Tensor, "b j 3 s"] | None = None
    local_by_shape: Float[torch.Tensor, "b n k 3 s"] | None = None

    def at_shape(self, shape: Float[torch.Tensor, "b s"]) -> ShapedPoints:
        """To first order, the same points of slightly different shapes; one base may serve many.

        Raises:
            ValueError: the derivatives were not asked for.
        """
        if self.offsets_by_shape is None or self.local_by_shape is None:
            raise ValueError("these points were shaped without derivatives")
        step = shape - self.base_shape
        return replace(
            self,
            base_shape=shape,
            offsets=self.offsets + torch.einsum("bjcs,bs->bjc", self.offsets_by_shape, step),
            local=self.local + torch.einsum("bnkcs,bs->bnkc", self.local_by_shape, step),
            offsets_by_shape=self.offsets_by_shape.expand(len(shape), -1, -1, -1),
            local_by_shape=self.local_by_shape.expand(len(shape), -1, -1, -1, -1),
        )


@dataclass(frozen=True, eq=False)
class Posed:
    """Joints of posed bodies.

    Attributes:
        rotations: of each joint in the frame (``G``).
        positions: of each joint in the frame (``w``).
    """

    rotations: Float[torch.Tensor, "b j 3 3"]
    positions: Float[torch.Tensor, "b j 3"]


def pose(skeleton: Skeleton, body: BodyParameters, offsets: Float[torch.Tensor, "b j 3"]) -> Posed:
    """Forward kinematics."""
    rotations: list[torch.Tensor | None] = [None] * len(skeleton.parents)
    positions: list[torch.Tensor | None] = [None] * len(skeleton.parents)
    rotations[0], positions[0] = body.rotations[:, 0], body.translation
    level_rotations, level_positions = body.rotations[:, :1], body.translation[:, None]
    previous = torch.zeros(len(skeleton.parents), dtype=torch.long)
    for joints, parents in skeleton.levels:
        at = previous[parents]
        above, above_positions = level_rotations[:, at], level_positions[:, at]
        level_rotations = above @ body.rotations[:, joints]
        level_positions = above_positions + (above @ offsets[:, joints, :, None])[..., 0]
        for place, joint in enumerate(joints.tolist()):
            previous[joint] = place
            rotations[joint], positions[joint] = level_rotations[:, place], level_positions[:, place]
    return Posed(torch.stack(rotations, dim=1), torch.stack(positions, dim=1))  # type: ignore[arg-type]


def place(posed: Posed, points: ShapedPoints) -> Float[torch.Tensor, "b n 3"]:
    """Positions of the points in the frame."""
    return torch.einsum("nk,bnkc->bnc", points.weights, _pieces(posed, points.local, points.joints))


def _pieces(posed: Posed, local: torch.Tensor, joints: torch.Tensor) -> torch.Tensor:
    """Where each joint alone would carry each point."""
    return (posed.rotations[:, joints] @ local[..., None])[..., 0] + posed.positions[:, joints]


@dataclass(frozen=True, eq=False)
class ParameterLayout:
    """Order of the increments that derivatives are taken by.

    First the translation, then three numbers for each free joint: a small rotation ``exp(d) D_j`` in the frame of its
    parent (for the root: the frame that the body stands in); then the shape.
    """

    skeleton: Skeleton
    shape_count: int

    @property
    def size(self) -> int:
        """Count of increments."""
        return 3 + 3 * len(self.skeleton.free_joints) + self.shape_count

    @property
    def rotations(self) -> slice:
        """Where the rotations stand."""
        return slice(3, 3 + 3 * len(self.skeleton.free_joints))

    @property
    def shape(self) -> slice:
        """Where the shape stands."""
        return slice(self.size - self.shape_count, self.size)

    def moved(self, body: BodyParameters, step: Float[torch.Tensor, "b p"]) -> BodyParameters:
        """The bodies after an increment."""
        turned = body.rotations.clone()
        free = self.skeleton.free_joints
        turned[:, free] = rotation_exp(step[:, self.rotations].unflatten(1, (-1, 3))) @ body.rotations[:, free]
        return BodyParameters(body.translation + step[:, :3], turned, body.shape + step[:, self.shape])

    def point_derivatives(
        self, posed: Posed, points: ShapedPoints, chosen: Int[torch.Tensor, "b m"]
    ) -> Float[torch.Tensor, "b m 3 p"]:
        """Derivatives of chosen points by the increments."""
        batch = torch.arange(len(chosen))[:, None]
        local, weights, joints = points.local[batch, chosen], points.weights[chosen], points.joints[chosen]
        turned = posed.rotations[batch[..., None], joints]
        pieces = (turned @ local[..., None])[..., 0] + posed.positions[batch[..., None], joints]
        free = self.skeleton.free_joints
        # Share of each point that hangs on each free joint, and the centre of that share times itself.
        share = self.skeleton.carries.to(weights.dtype)[free][:, joints].permute(1, 2, 0, 3) * weights[:, :, None, :]
        lever = share @ pieces - share.sum(-1, keepdim=True) * posed.positions[:, None, free]
        parents = posed.rotations[:, self.skeleton.parent_index[free]].clone()
        parents[:, free == 0] = torch.eye(3, dtype=parents.dtype)
        # d(x) = omega x lever with omega = G_parent d
        by_rotation = torch.linalg.cross(parents.transpose(-1, -2)[:, None], lever[..., None, :], dim=-1)
        result = torch.zeros(*chosen.shape, 3, self.size, dtype=weights.dtype)
        result[..., :3] = torch.eye(3, dtype=weights.dtype)
        result[..., self.rotations] = by_rotation.flatten(2, 3).transpose(-1, -2)
        if points.offsets_by_shape is not None and points.local_by_shape is not None:
            by_shape = self._positions_by_shape(posed, points.offsets_by_shape)
            moved = turned @ points.local_by_shape[batch, chosen] + by_shape[batch[..., None], joints]
            result[..., self.shape] = torch.einsum("bmk,bmkcs->bmcs", weights, moved)
        return result

    def _positions_by_shape(self, posed: Posed, offsets_by_shape: torch.Tensor) -> torch.Tensor:
        """Derivatives of the joints' positions by the shape."""
        steps = posed.rotations[:, self.skeleton.parent_index] @ offsets_by_shape
        return torch.einsum("ij,bics->bjcs", self.skeleton.carries.to(steps.dtype), steps)


def rotation_exp(rotation_vector: Float[torch.Tensor, "*batch 3"]) -> Float[torch.Tensor, "*batch 3 3"]:
    """Rotation matrices of rotation vectors (axis times angle in radians); smooth at zero."""
    squared = (rotation_vector**2).sum(-1)[..., None, None]
    small = squared < 1e-8
    angle = torch.sqrt(torch.where(small, torch.ones_like(squared), squared))
    a = torch.where(small, 1 - squared / 6, torch.sin(angle) / angle)
    b = torch.where(small, 0.5 - squared / 24, (1 - torch.cos(angle)) / angle**2)
    K = skew(rotation_vector)
    return torch.eye(3, dtype=rotation_vector.dtype) + a * K + b * (K @ K)


def rotation_log(R: Float[torch.Tensor, "*batch 3 3"]) -> Float[torch.Tensor, "*batch 3"]:
    """Rotation vectors of rotation matrices, by way of unit quaternions, so that angles near pi are good too."""
    m00, m11, m22 = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    x, y, z = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    xy, yz, zx = R[..., 0, 1] + R[..., 1, 0], R[..., 1, 2] + R[..., 2, 1], R[..., 0, 2] + R[..., 2, 0]
    # Four times the products of the quaternion's parts; the row of the largest part is well conditioned.
    rows = torch.stack(
        [
            torch.stack([1 + m00 + m11 + m22, x, y, z], -1),
            torch.stack([x, 1 + m00 - m11 - m22, xy, zx], -1),
            torch.stack([y, xy, 1 - m00 + m11 - m22, yz], -1),
            torch.stack([z, zx, yz, 1 - m00 - m11 + m22], -1),
        ],
        -2,
    )
    largest = torch.argmax(torch.diagonal(rows, dim1=-2, dim2=-1), -1)
    q = torch.gather(rows, -2, largest[..., None, None].expand(*largest.shape, 1, 4))[..., 0, :]
    q = q / q.norm(dim=-1, keepdim=True)
    q = torch.where(q[..., :1] < 0, -q, q)
    sine_squared = (q[..., 1:] ** 2).sum(-1, keepdim=True)
    small = sine_squared < 1e-12
    sine = torch.sqrt(torch.where(small, torch.ones_like(sine_squared), sine_squared))
    factor = torch.where(small, 2.0 + sine_squared / 3.0, 2.0 * torch.atan2(sine, q[..., :1]) / sine)
    return factor * q[..., 1:]


def inverse_left_jacobian(rotation_vector: Float[torch.Tensor, "*batch 3"]) -> Float[torch.Tensor, "*batch 3 3"]:
    """Derivative of ``log(exp(d) exp(r))`` by ``d`` at zero, for rotation vectors r shorter than 2 pi."""
    squared = (rotation_vector**2).sum(-1)[..., None, None]
    small = squared < 1e-6
    angle = torch.sqrt(torch.where(small, torch.ones_like(squared), squared))
    half = 0.5 * angle
    factor = torch.where(small, 1.0 / 12 + squared / 720, (1 - half * torch.cos(half) / torch.sin(half)) / angle**2)
    K = skew(rotation_vector)
    return torch.eye(3, dtype=rotation_vector.dtype) - 0.5 * K + factor * (K @ K)


def skew(v: Float[torch.Tensor, "*batch 3"]) -> Float[torch.Tensor, "*batch 3 3"]:
    """Matrix of the cross product."""
    zero = torch.zeros_like(v[..., 0])
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    return torch.stack(
        [torch.stack([zero, -z, y], -1), torch.stack([z, zero, -x], -1), torch.stack([-y, x, zero], -1)], -2
    )
