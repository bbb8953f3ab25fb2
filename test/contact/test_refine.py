"""Refinement of bodies that ought to touch, and bodies from joints alone."""

import numpy as np
import pytest
import torch

from interpose_ros.contact.body_model import COCO_KEYPOINTS, landmarks, mesh
from interpose_ros.contact.body_parts import GROUND
from interpose_ros.contact.config import RefinementConfig
from interpose_ros.contact.constraints import (
    ConstraintOrigin,
    Contact,
    ContactConstraints,
    ContactEnd,
    ContactSample,
    whole_bodies,
)
from interpose_ros.contact.contact_term import Floor
from interpose_ros.contact.joints_fit import NamedJoint, fit_joints
from interpose_ros.contact.metrics import (
    contact_distances,
    deepest_penetration,
    joint_positions,
    mean_correct_contacts,
    pa_mpjpe,
)
from interpose_ros.contact.refine import EstimatedPerson, Keypoints, refine
from interpose_ros.contact.synthetic import INTRINSICS, face_to_face, make_scene, named_contacts, standing

CONFIG = RefinementConfig()


def constraints(*contacts, order_open=False):
    sample = ContactSample(tuple(contacts), order_open=order_open)
    return ContactConstraints((sample,), ConstraintOrigin.REQUEST)


def touch(first, second):
    return Contact(ContactEnd(*first), ContactEnd(*second))


def test_a_handshake_closes_without_naming_hands_or_persons(anny):
    bodies = face_to_face(anny, gap=1.0, second_deeper=0.3)
    result = refine(
        [EstimatedPerson(anny, body) for body in bodies],
        constraints(touch((0, "hand"), (1, "hand")), order_open=True),
        CONFIG,
    )
    (contact,) = result.contacts
    assert contact.before > 0.3
    assert contact.after < 0.01
    assert {contact.contact.first.side, contact.contact.second.side} <= {"left", "right"}
    vertices = [mesh(anny, body).vertices[0] for body in result.bodies]
    assert deepest_penetration(anny, vertices) < 0.03
    assert result.losses_after["contact"] < 0.05 * result.losses_before["contact"]
    assert result.complete
    assert set(result.seconds) == {"prepare", "contact", "penetration"}


def test_named_sides_are_kept(anny):
    bodies = face_to_face(anny)
    result = refine(
        [EstimatedPerson(anny, body) for body in bodies],
        constraints(touch((0, "hand", "left"), (1, "shoulder", "left"))),
        CONFIG,
    )
    contact = result.contacts[0].contact
    assert (contact.first.side, contact.second.side) == ("left", "left")
    assert result.contacts[0].after < 0.05


def test_one_person_touches_itself_and_the_floor(anny):
    body = standing(anny, 0.0, 3.0)
    lowest = float(mesh(anny, body).vertices[0, :, 1].max())
    floor = Floor(torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64), -(lowest + 0.08))
    result = refine(
        [EstimatedPerson(anny, body)],
        constraints(
            touch((0, "hand"), (0, "hand")), touch((0, "foot"), (-1, GROUND)), touch((0, "foot"), (-1, GROUND))
        ),
        CONFIG,
        floor=floor,
    )
    assert [round(c.before, 2) > 0.04 for c in result.contacts] == [True] * 3
    assert max(c.after for c in result.contacts) < 0.02
    hands = result.contacts[0].contact
    assert {hands.first.side, hands.second.side} == {"left", "right"}
    assert {c.contact.first.side for c in result.contacts[1:]} == {"left", "right"}


def test_held_orientation_stays(anny):
    bodies = face_to_face(anny)
    result = refine(
        [EstimatedPerson(anny, body) for body in bodies],
        constraints(touch((0, "hand"), (1, "hand"))),
        RefinementConfig(hold_orientation=True),
    )
    for before, after in zip(bodies, result.bodies, strict=True):
        torch.testing.assert_close(before.rotations[:, 0], after.rotations[:, 0])


def test_a_deadline_gives_the_best_so_far(anny):
    bodies = face_to_face(anny)
    asked = []

    def out_of_time():
        asked.append(None)
        return len(asked) > 4

    result = refine(
        [EstimatedPerson(anny, body) for body in bodies],
        constraints(touch((0, "hand"), (1, "hand"))),
        CONFIG,
        out_of_time=out_of_time,
    )
    assert not result.complete
    assert result.contacts[0].after < result.contacts[0].before


def test_without_contacts_nothing_moves(anny):
    bodies = face_to_face(anny)
    result = refine(
        [EstimatedPerson(anny, body) for body in bodies], ContactConstraints((), ConstraintOrigin.REQUEST), CONFIG
    )
    for before, after in zip(bodies, result.bodies, strict=True):
        assert float((before.translation - after.translation).norm()) < 1e-6


def test_the_heuristic_is_flagged_and_brings_bodies_together(anny):
    bodies = face_to_face(anny, gap=1.4, second_deeper=0.3)
    result = refine([EstimatedPerson(anny, body) for body in bodies], whole_bodies(), CONFIG)
    assert result.constraints.origin is ConstraintOrigin.HEURISTIC
    assert result.contacts[0].after < result.contacts[0].before - 0.1


@pytest.mark.parametrize("name", ["handshake", "hands clasped"])
def test_scenes_of_known_truth_get_better(anny, name):
    scene = next(s for s in (make_scene(anny, name, 2, seed) for seed in range(100, 120)) if s is not None)
    result = refine(
        scene.estimates,
        constraints(*named_contacts(scene, with_sides=True)),
        CONFIG,
        INTRINSICS,
    )
    truth = joint_positions(anny, scene.truth)
    before = pa_mpjpe(joint_positions(anny, [e.body for e in scene.estimates]), truth)
    assert pa_mpjpe(joint_positions(anny, result.bodies), truth) < 0.9 * before
    estimated = [mesh(anny, e.body).vertices[0] for e in scene.estimates]
    refined = [mesh(anny, body).vertices[0] for body in result.bodies]
    apart = contact_distances(anny, estimated, scene.touching)
    closed = contact_distances(anny, refined, scene.touching)
    assert mean_correct_contacts(closed) > mean_correct_contacts(apart)
    assert closed.mean() < 0.6 * apart.mean()


def test_three_people_and_none_are_refused(anny):
    person = EstimatedPerson(anny, standing(anny, 0.0, 3.0))
    for people in ([], [person] * 3):
        with pytest.raises(ValueError, match="one or two"):
            refine(people, whole_bodies(), CONFIG)
    with pytest.raises(ValueError, match="only one person"):
        refine([person], whole_bodies(), CONFIG)
    seen = Keypoints(COCO_KEYPOINTS, np.zeros((17, 2)), np.ones(17))
    with pytest.raises(ValueError, match="no camera intrinsics"):
        refine([EstimatedPerson(anny, person.body, seen)], constraints(), CONFIG)
    with pytest.raises(ValueError, match="no floor plane"):
        refine([person], constraints(touch((0, "foot"), (-1, GROUND))), CONFIG)


def named_joints(anny, body, names, stddev, rng):
    positions = landmarks(anny, body, names)[0].numpy()
    return {
        name: NamedJoint(position + rng.normal(0, stddev, 3), np.eye(3) * max(stddev, 0.005) ** 2)
        for name, position in zip(names, positions, strict=True)
    }


@pytest.mark.parametrize("name", ["handshake", "crossed legs"])
def test_bodies_come_from_joints_alone(anny, name):
    scene = next(s for s in (make_scene(anny, name, 1, seed) for seed in range(200, 220)) if s is not None)
    rng = np.random.default_rng(0)
    truth = scene.truth[0]
    fitted = fit_joints(anny, named_joints(anny, truth, COCO_KEYPOINTS, 0.005, rng))
    assert fitted.residual < 0.02
    others = ("left_hand", "right_hand", "neck", "pelvis")
    gap = landmarks(anny, fitted.body, others)[0] - landmarks(anny, truth, others)[0]
    assert float(gap.norm(dim=1).mean()) < 0.05


@pytest.mark.parametrize("steps", [0, 4])
def test_a_fit_of_joints_ends_with_its_time(anny, steps):
    body = make_scene_body(anny)
    joints = named_joints(anny, body, COCO_KEYPOINTS, 0.0, np.random.default_rng(4))
    asked = []

    def out_of_time():
        asked.append(None)
        return len(asked) > steps

    fitted = fit_joints(anny, joints, out_of_time=out_of_time)
    assert len(asked) == steps + 1
    assert fitted.residual > 2 * fit_joints(anny, joints).residual
    # Even without time for a single step it stands where the joints are.
    assert fitted.residual < (0.5, 0.25)[steps > 0]


def make_scene_body(anny):
    return next(s for s in (make_scene(anny, "crossed legs", 1, seed) for seed in range(300, 320)) if s).truth[0]


def test_joints_alone_lead_to_contact(anny):
    bodies = face_to_face(anny, gap=0.9)
    rng = np.random.default_rng(1)
    people = [
        EstimatedPerson(anny, fit_joints(anny, named_joints(anny, body, COCO_KEYPOINTS, 0.01, rng)).body)
        for body in bodies
    ]
    result = refine(people, constraints(touch((0, "hand", "right"), (1, "hand", "right"))), CONFIG)
    assert result.contacts[0].before > 0.3
    assert result.contacts[0].after < 0.02


def test_a_joint_known_badly_counts_little(anny):
    body = standing(anny, 0.0, 3.0)
    joints = named_joints(anny, body, COCO_KEYPOINTS, 0.0, np.random.default_rng(2))
    joints["left_wrist"] = NamedJoint(joints["left_wrist"].position + 0.5, np.eye(3) * 4.0)
    fitted = fit_joints(anny, joints)
    gap = landmarks(anny, fitted.body, ("left_elbow", "right_wrist", "left_wrist"))[0]
    gap = (gap - landmarks(anny, body, ("left_elbow", "right_wrist", "left_wrist"))[0]).norm(dim=1)
    assert gap[:2].max() < 0.02
    assert gap[2] < 0.3


def test_joints_that_make_no_sense_are_named(anny):
    body = standing(anny, 0.0, 3.0)
    good = named_joints(anny, body, COCO_KEYPOINTS, 0.0, np.random.default_rng(3))
    with pytest.raises(ValueError, match="no joint 'tail'"):
        fit_joints(anny, {**good, "tail": good["nose"]})
    with pytest.raises(ValueError, match="at least 6"):
        fit_joints(anny, {"nose": good["nose"]})
    with pytest.raises(ValueError, match="not finite"):
        fit_joints(anny, {**good, "nose": NamedJoint(np.array([np.nan, 0, 0]), np.eye(3))})
    with pytest.raises(ValueError, match="positive definite"):
        fit_joints(anny, {**good, "nose": NamedJoint(np.zeros(3), -np.eye(3))})
    line = {name: NamedJoint(np.array([0.0, 0.0, 1.0 + k]), np.eye(3)) for k, name in enumerate(good)}
    with pytest.raises(ValueError, match="on a line"):
        fit_joints(anny, line)
