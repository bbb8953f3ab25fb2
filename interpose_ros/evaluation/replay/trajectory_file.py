"""Trajectories in TUM format, which evo and others read: the truth at the keyframes, and what the answers "
"chain up to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from interpose_ros.evaluation.journal import read_rows, write_atomically
from interpose_ros.evaluation.replay.poses import seconds
from interpose_ros.geometry.se3 import inverse, quaternion_xyzw_from_rotation, transform_from_rotation_translation

UNKNOWN_RISK = 0.5
"""Of an answer without calibrated confidence, when the most reliable chain is chosen."""


def write_trajectory(path: Path, poses: Mapping[int, Float[np.ndarray, "4 4"]], comment: str) -> None:
    """Write ``T_world_camera`` by stamp in nanoseconds as lines of ``t x y z qx qy qz qw``."""
    lines = [f"# {comment}", "# timestamp tx ty tz qx qy qz qw"]
    for stamp, T in sorted(poses.items()):
        numbers = [*T[:3, 3], *quaternion_xyzw_from_rotation(T[:3, :3])]
        lines.append(f"{seconds(stamp)} " + " ".join(f"{value:.9f}" for value in numbers))
    write_atomically(path, "\n".join(lines) + "\n")


def write_trajectories(folder: Path) -> str:
    """Write truth.tum and, where answers connect keyframes, trajectory.tum of a run of a drive.

    Returns:
        A sentence about them, for people.

    Args:
        folder: of the run, with pairs.json and rows.jsonl.
    """
    content = json.loads((folder / "pairs.json").read_text(encoding="utf-8"))
    poses = chained_poses(content, read_rows(folder / "rows.jsonl"))
    truth, estimate = folder / "truth.tum", folder / "trajectory.tum"
    write_trajectory(truth, true_poses(content), "T_world_camera, ground truth at the keyframes")
    if not poses:
        estimate.unlink(missing_ok=True)
        return f"no two keyframes are connected by an answer, so there is no {estimate.name} beside {truth}"
    write_trajectory(
        estimate, poses, "T_world_camera, rotations and directions estimated, lengths of steps from the truth"
    )
    return (
        f"{estimate} has the {len(poses)} of {len(content['keyframes'])} keyframes that answers connect (lengths of steps "
        f"from the truth): evo_ape tum {truth} {estimate}"
    )


def chained_poses(
    pair_file: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> dict[int, Float[np.ndarray, "4 4"]]:
    """``T_world_camera`` of the keyframes that answers connect, along the most reliable chains.

    Two views tell no length, so every step has the true one; rotations and directions are the answers'. The first keyframe
    of the largest connected part stands at its true pose. An answer without direction is a step without length only where
    the truth has none either; else it connects nothing.

    Args:
        pair_file: content of the drive's pair file.
        rows: of its run.
    """
    stamps = [keyframe["stamp_ns"] for keyframe in pair_file["keyframes"]]
    number_of = {stamp: number for number, stamp in enumerate(stamps)}
    steps: dict[tuple[int, int], Float[np.ndarray, "4 4"]] = {}
    risks = []
    for row in rows:
        T_b_a = _step(row)
        if T_b_a is None:
            continue
        pair = pair_file["pairs"][row["pair"]]
        a, b = number_of[pair["stamp0_ns"]], number_of[pair["stamp1_ns"]]
        steps[a, b], steps[b, a] = T_b_a, inverse(T_b_a)
        risks.append((a, b, _risk(row)))
    if not risks:
        return {}
    first, second, risk = (np.array(column) for column in zip(*risks, strict=True))
    graph = coo_matrix((risk, (first, second)), shape=(len(stamps), len(stamps)))
    tree = minimum_spanning_tree(graph)
    _, part = connected_components(tree, directed=False)
    largest = np.flatnonzero(part == np.argmax(np.bincount(part)))
    root = int(largest[0])
    order, before = breadth_first_order(tree, root, directed=False)
    poses = {root: np.array(pair_file["keyframes"][root]["T_world_camera"])}
    for number in map(int, order[1:]):
        previous = int(before[number])
        poses[number] = poses[previous] @ inverse(steps[previous, number])
    return {stamps[number]: T for number, T in poses.items()}


def true_poses(pair_file: Mapping[str, Any]) -> dict[int, Float[np.ndarray, "4 4"]]:
    """``T_world_camera`` of the keyframes of a drive's pair file."""
    return {keyframe["stamp_ns"]: np.array(keyframe["T_world_camera"]) for keyframe in pair_file["keyframes"]}


def _step(row: Mapping[str, Any]) -> Float[np.ndarray, "4 4"] | None:
    if not row["answered"]:
        return None
    t = np.zeros(3)
    if row["direction_b_a"] is not None:
        t = np.array(row["direction_b_a"]) * row["true_baseline"]
    elif row["true_direction"]:
        return None
    return transform_from_rotation_translation(np.array(row["R_b_a"]), t)


def _risk(row: Mapping[str, Any]) -> float:
    confidence = row["confidence"]
    probability = None if confidence is None else confidence["rotation_5deg"]
    return UNKNOWN_RISK if probability is None else max(1.0 - probability, 1e-6)
