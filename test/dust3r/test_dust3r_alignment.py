"""Set alignment on pointmaps with known truth, exact and with the faults of real predictions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interpose_ros.config import Dust3rAlignmentConfig
from interpose_ros.dust3r.alignment import AlignedSubset, align_subsets
from interpose_ros.dust3r.alignment_batch import edges_of, gather
from interpose_ros.dust3r.inference import PairMaps, complete_pairs
from interpose_ros.dust3r.initial_poses import candidate_trees, canonical_units, loop_errors
from interpose_ros.dust3r.joint_optimisation import optimise, state_from_poses
from interpose_ros.dust3r.pair_pose import pair_pose
from interpose_ros.dust3r.procrustes import Similarity, robust_similarity, weighted_similarity
from interpose_ros.dust3r.synthetic import (
    REALISTIC_FAULTS,
    DepthView,
    Faults,
    predict_from_depth,
    room_views,
    true_pose,
)
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.geometry.se3 import rotation_exp


def rotation_error(subset: AlignedSubset, views: list[DepthView], position: int = -1) -> float:
    truth = true_pose(views[subset.views[0]], views[subset.views[position]])
    return float(np.degrees(rotation_distance(subset.pose(position)[None, :3, :3], truth[None, :3, :3])[0]))


def direction_error(subset: AlignedSubset, views: list[DepthView]) -> float:
    truth = true_pose(views[subset.views[0]], views[subset.views[-1]])
    return float(np.degrees(direction_distance(subset.pose(-1)[None, :3, 3], truth[None, :3, 3])[0]))


@pytest.mark.parametrize("known", [True, False], ids=["known K", "unknown focal length"])
@pytest.mark.parametrize("seed", range(3))
def test_exact_pointmaps_give_exact_poses_of_all_views(seed: int, known: bool) -> None:
    rng = np.random.default_rng(seed)
    views = room_views(rng, 5, np.radians(60))
    predictions = predict_from_depth(views, complete_pairs(range(5)), Faults(scale=0.4), rng)
    (result,) = align_subsets(predictions, [range(5)], use_camera=[known] * 5)
    for position in range(1, 5):
        assert rotation_error(result, views, position) < 0.01
    assert direction_error(result, views) < 0.05
    assert result.aligned[2].focal == pytest.approx(views[2].camera.focal_length, rel=1e-3)
    # Lengths are in one unit for all views.
    lengths = [np.linalg.norm(result.pose(k)[:3, 3]) for k in (1, 4)]
    truth = [np.linalg.norm(true_pose(views[0], views[k])[:3, 3]) for k in (1, 4)]
    assert lengths[0] / lengths[1] == pytest.approx(truth[0] / truth[1], rel=1e-3)


@pytest.mark.parametrize("known", [True, False], ids=["known K", "unknown focal length"])
def test_optimisation_finds_back_from_a_disturbed_start(known: bool) -> None:
    """The initial poses of exact pointmaps are exact; this test takes them away."""
    rng = np.random.default_rng(1)
    views = room_views(rng, 4, np.radians(50))
    predictions = predict_from_depth(views, complete_pairs(range(4)), Faults(scale=0.3), rng)
    batch = gather(predictions, [range(4)], [known] * 4, 3.0, 300)
    if not known:
        batch = replace(batch, focal=1.1 * batch.focal)
    T = [np.linalg.inv(true_pose(views[0], v)) for v in views]
    R = np.stack([rotation_exp(0.1 * rng.standard_normal(3)) @ t[:3, :3] for t in T])
    t = np.stack([t[:3, 3] / np.median(views[0].depth) + 0.1 * rng.standard_normal(3) for t in T])
    disturbed = Similarity(torch.ones(1, 4).double(), torch.from_numpy(R)[None], torch.from_numpy(t)[None])
    result = optimise(batch, state_from_poses(batch, disturbed, canonical_units(batch)))
    R = result.state.R[0].numpy()
    for k in range(1, 4):
        found, truth = R[k].T @ R[0], true_pose(views[0], views[k])[:3, :3]
        assert np.degrees(rotation_distance(found[None], truth[None])[0]) < 0.01
    assert float(result.loss[0]) < 1e-5
    if not known:
        np.testing.assert_allclose(result.state.focal[0].numpy(), views[0].camera.focal_length, rtol=1e-3)


def test_uncalibrated_frames_share_one_focal_length() -> None:
    """Keyframes are calibrated, the frames between them are not, as with generated clips; the maps are noisy."""
    rng = np.random.default_rng(2)
    views = room_views(rng, 5, np.radians(60))
    faults = replace(REALISTIC_FAULTS, wrong_edges=0.0)
    predictions = predict_from_depth(views, complete_pairs(range(5)), faults, rng)
    (result,) = align_subsets(predictions, [range(5)], use_camera=[True, False, False, False, True])
    focals = [view.focal for view in result.aligned]
    truth = views[0].camera.focal_length
    assert focals[0] == focals[4] == pytest.approx(truth)
    assert focals[1] == pytest.approx(focals[2], rel=1e-9)
    assert focals[1] == pytest.approx(focals[3], rel=1e-9)
    assert focals[1] == pytest.approx(truth, rel=0.1)
    assert abs(focals[1] / truth - 1) > 1e-6, "it was not estimated"


def test_in_between_views_beat_the_pair_under_realistic_faults() -> None:
    """60 degrees apart, the direct edge is poor; with views in between the error is smaller, wrong edges or not."""
    pair_errors, set_errors, wrong_errors = [], [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        views = room_views(rng, 5, np.radians(60))
        plain = predict_from_depth(views, complete_pairs(range(5)), replace(REALISTIC_FAULTS, wrong_edges=0.0), rng)
        pair, whole = align_subsets(plain, [[0, 4], range(5)])
        pair_errors.append(rotation_error(pair, views))
        set_errors.append(rotation_error(whole, views))
        faulty = predict_from_depth(views, complete_pairs(range(5)), replace(REALISTIC_FAULTS, wrong_edges=0.2), rng)
        wrong_errors.append(rotation_error(align_subsets(faulty, [range(5)])[0], views))
    assert np.median(set_errors) < 2.5
    assert np.median(set_errors) < np.median(pair_errors)
    assert np.median(wrong_errors) < 3.0
    assert min(pair_errors) > 0.01, "the faults have no effect: this test would not see an error"


def test_an_overconfident_wrong_edge_does_not_decide() -> None:
    """The direct edge between first and last view is off by 60 degrees and surer than all others."""
    rng = np.random.default_rng(3)
    views = room_views(rng, 5, np.radians(50))
    predictions = predict_from_depth(views, complete_pairs(range(5)), Faults(scale=0.2), rng)
    turn = torch.from_numpy(rotation_exp(np.array([0.0, 1.0, 0.0]))).float()
    for pair in ((0, 4), (4, 0)):
        maps = predictions[pair]
        sure = torch.full_like(maps.confidence_second, 50.0)
        turned = maps.points_second @ (turn if pair == (0, 4) else turn.T)
        predictions.store(pair, PairMaps(maps.points_first, turned, maps.confidence_first, sure))
    (result,) = align_subsets(predictions, [range(5)])
    assert rotation_error(result, views) < 0.5
    assert result.edge_rotation_error > np.radians(10), "the disagreement must be seen in the evidence"


def test_batched_subsets_equal_single_ones() -> None:
    rng = np.random.default_rng(5)
    views = room_views(rng, 7, np.radians(60))
    predictions = predict_from_depth(views, complete_pairs(range(7)), REALISTIC_FAULTS, rng)
    subsets = [(0, 1, 3, 6), (0, 2, 6), (0, 2, 5, 6), (0, 6), (0, 1, 4, 6)]
    together = align_subsets(predictions, subsets)
    assert [result.views for result in together] == subsets
    for subset, result in zip(subsets, together, strict=True):
        (alone,) = align_subsets(predictions, [subset])
        np.testing.assert_allclose(result.pose(-1), alone.pose(-1), atol=1e-6)


def test_disconnected_views_have_no_pose() -> None:
    rng = np.random.default_rng(6)
    views = room_views(rng, 5, np.radians(50))
    predictions = predict_from_depth(views, complete_pairs(range(5)), Faults(), rng)
    for i, j in complete_pairs(range(5)):
        if (i in (2, 4)) != (j in (2, 4)):
            maps = predictions[i, j]
            predictions.store((i, j), replace(maps, confidence_second=torch.ones_like(maps.confidence_second)))
    (result,) = align_subsets(predictions, [range(5)])
    assert [view is not None for view in result.aligned] == [True, True, False, True, False]
    assert result.pose(4) is None
    assert rotation_error(result, views, 3) < 0.01
    assert result.edge_share == pytest.approx(8 / 20)


def test_a_first_view_that_is_linked_to_nothing_gives_no_pose_at_all() -> None:
    rng = np.random.default_rng(6)
    views = room_views(rng, 3, np.radians(50))
    predictions = predict_from_depth(views, complete_pairs(range(3)), Faults(), rng)
    for pair in ((0, 1), (0, 2)):
        maps = predictions[pair]
        predictions.store(pair, replace(maps, confidence_second=torch.ones_like(maps.confidence_second)))
    (result,) = align_subsets(predictions, [range(3)])
    assert result.aligned == (None, None, None)
    assert np.isnan(result.distance)


def test_points_lie_where_the_view_sees_them() -> None:
    rng = np.random.default_rng(8)
    views = room_views(rng, 3, np.radians(40))
    predictions = predict_from_depth(views, complete_pairs(range(3)), Faults(), rng)
    (result,) = align_subsets(predictions, [range(3)], Dust3rAlignmentConfig(points_per_view=100))
    for position, view in enumerate(result.aligned):
        points = view.points_first @ result.pose(position)[:3, :3].T + result.pose(position)[:3, 3]
        np.testing.assert_allclose(views[position].camera.project(points), view.pixels, atol=1e-2)
        assert len(points) <= 100


def test_overflowed_pointmaps_do_not_count() -> None:
    rng = np.random.default_rng(9)
    views = room_views(rng, 3, np.radians(40))
    predictions = predict_from_depth(views, complete_pairs(range(3)), Faults(), rng)
    for pair, value in (((0, 1), torch.inf), ((1, 2), torch.nan)):
        maps = predictions[pair]
        points, confidence = maps.points_second.clone(), maps.confidence_second.clone()
        points[:60] = value
        confidence[:80] = value
        predictions.store(pair, replace(maps, points_second=points, confidence_second=confidence))
    (result,) = align_subsets(predictions, [range(3)])
    assert rotation_error(result, views) < 0.01
    assert np.isfinite(result.mean_score)
    pair = pair_pose(predictions[0, 1], predictions[1, 0], 1, views[0].camera, views[1].camera)
    truth = true_pose(views[0], views[1])
    assert float(np.degrees(rotation_distance(pair.T_b_a[None, :3, :3], truth[None, :3, :3])[0])) < 0.01


def test_every_order_must_be_there() -> None:
    rng = np.random.default_rng(8)
    views = room_views(rng, 2, np.radians(40))
    with pytest.raises(ValueError, match="views 1 and 0 are aligned, but that order was not predicted"):
        align_subsets(predict_from_depth(views, [(0, 1)], Faults(), rng), [[0, 1]])


def test_candidate_trees_span_all_views_and_differ() -> None:
    strength = np.array([[0, 9, 1, 0], [9, 0, 8, 7], [1, 8, 0, 2], [0, 7, 2, 0]], dtype=float)
    trees = candidate_trees(strength, np.zeros((4, 4)))
    assert set(trees[0]) == {(0, 1), (1, 2), (1, 3)}
    for tree in trees:
        assert {child for _, child in tree} == {1, 2, 3}
        assert (0, 3) not in tree
    assert len(trees) > 1


def test_the_tree_of_closed_loops_avoids_links_that_contradict_the_others() -> None:
    """Every view has a wrong link here, so no tree of direct links to one view is right."""
    n, wrong = 6, {(0, 5), (1, 3), (2, 4)}
    rng = np.random.default_rng(0)
    R_world = [rotation_exp(v) for v in rng.normal(size=(n, 3))]
    edges = edges_of(n)
    R = []
    for i, j in edges:
        R_i_j = R_world[i].T @ R_world[j]
        R.append(R_i_j @ rotation_exp(rng.normal(size=3)) if (min(i, j), max(i, j)) in wrong else R_i_j)
    similarities = Similarity(torch.ones(1, len(edges)), torch.tensor(np.array(R))[None], torch.zeros(1, len(edges), 3))
    loops = loop_errors(similarities, torch.tensor(edges), n)[0].numpy()
    for i, j in edges:
        if (min(i, j), max(i, j)) in wrong:
            assert loops[i, j] > np.radians(10)
        else:
            assert loops[i, j] < 1e-6
    # The wrong links are the strongest.
    strength = np.where(loops > 0.1, 9.0, 1.0) * (1 - np.eye(n))
    strongest, closing = candidate_trees(strength, loops)[:2]
    assert {(min(link), max(link)) for link in strongest} & wrong
    assert not {(min(link), max(link)) for link in closing} & wrong
    assert {child for _, child in closing} == {1, 2, 3, 4, 5}


def test_two_views_close_no_loop() -> None:
    similarities = Similarity(torch.ones(2, 2), torch.eye(3).expand(2, 2, 3, 3), torch.zeros(2, 2, 3))
    assert torch.equal(loop_errors(similarities, torch.tensor([[0, 1], [1, 0]]), 2), torch.zeros(2, 2, 2))


def test_robust_similarity_ignores_a_third_of_outliers() -> None:
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(1, 90, 3, generator=generator, dtype=torch.float64)
    R = torch.from_numpy(rotation_exp(np.array([0.3, -0.5, 0.8])))
    target = 1.7 * source @ R.T + torch.tensor([1.0, 2.0, 3.0])
    target[:, :30] += 3.0 * torch.randn(1, 30, 3, generator=generator, dtype=torch.float64)
    weights = torch.ones(1, 90, dtype=torch.float64)
    robust, plain = robust_similarity(source, target, weights), weighted_similarity(source, target, weights)
    assert float((robust.R - R).norm()) < 1e-2
    assert float(robust.scale) == pytest.approx(1.7, rel=1e-2)
    assert float((plain.R - R).norm()) > 5 * float((robust.R - R).norm())
    identity = robust @ robust.inverse()
    torch.testing.assert_close(identity.apply(source), source)
