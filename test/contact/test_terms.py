"""Gradients of every term of the loss against finite differences."""

import pytest
import torch

from interpose_ros.contact.body_parts import ATOMS, GROUND
from interpose_ros.contact.body_terms import JointLimits, Joints3D, Keypoints2D, NearEstimate
from interpose_ros.contact.constraints import Contact, ContactEnd, ContactSample
from interpose_ros.contact.contact_points import part_points
from interpose_ros.contact.contact_term import ContactTerm, Floor
from interpose_ros.contact.penetration import PenetrationTerm
from interpose_ros.contact.rig import BodyParameters, rotation_exp
from interpose_ros.contact.scene import NormalEquations, Person, Scene
from interpose_ros.contact.synthetic import face_to_face

LANDMARKS = ("nose", "left_wrist", "right_ankle")
ANYWHERE = ContactSample(
    (
        Contact(ContactEnd(0, "hand"), ContactEnd(1, "back")),
        Contact(ContactEnd(1, "hand"), ContactEnd(1, "leg")),
        Contact(ContactEnd(0, "foot"), ContactEnd(-1, GROUND)),
    ),
    weight=0.7,
    order_open=True,
)


def disturbed(body, seed):
    generator = torch.Generator().manual_seed(seed)
    turns = 0.25 * torch.randn((*body.rotations.shape[:2], 3), generator=generator, dtype=torch.float64)
    return BodyParameters(
        body.translation + 0.05 * torch.randn(1, 3, generator=generator, dtype=torch.float64),
        rotation_exp(turns) @ body.rotations,
        body.shape + 0.08 * torch.randn(body.shape.shape, generator=generator, dtype=torch.float64),
    )


def terms():
    generator = torch.Generator().manual_seed(0)
    pixels = 300 + 50 * torch.randn(3, 2, generator=generator, dtype=torch.float64)
    root = torch.randn(3, 3, 3, generator=generator, dtype=torch.float64)
    floor = Floor(torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64), -1.0)
    return {
        "estimate": lambda bodies: NearEstimate(
            1,
            bodies[1],
            torch.diag(torch.tensor([3.0, 4.0, 5.0], dtype=torch.float64)),
            torch.full((20,), 0.3, dtype=torch.float64),
            torch.full((6,), 0.2, dtype=torch.float64),
        ),
        "limits": lambda bodies: JointLimits(0),
        "key points": lambda bodies: Keypoints2D(
            0, pixels, torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64), 20.0, (500.0, 510.0, 320.0, 240.0)
        ),
        "joints": lambda bodies: Joints3D(1, torch.ones(3, 3, dtype=torch.float64), root @ root.transpose(1, 2)),
        "contact": lambda bodies: ContactTerm([ANYWHERE], 100.0, 0.3, floor=floor),
    }


@pytest.mark.parametrize("name", terms())
def test_gradients_equal_finite_differences(anny, name):
    bodies = face_to_face(anny)
    term = terms()[name](bodies)
    people = [Person(anny, part_points(anny, ATOMS), LANDMARKS) for _ in bodies]
    here = [disturbed(body, seed) for seed, body in enumerate(bodies)]
    scene = Scene(people, here, with_hull=False)
    normal = NormalEquations(1, scene.size)
    term.add(scene, scene.state(here), normal)
    assert float(normal.gradient.abs().max()) > 1e-3
    step = 1e-6
    for parameter in range(0, scene.size, 2):
        change = torch.zeros(1, scene.size, dtype=torch.float64)
        change[0, parameter] = step
        above = term.value(scene, scene.state(scene.moved(here, change)))
        below = term.value(scene, scene.state(scene.moved(here, -change)))
        numeric = float((above - below) / (2 * step))
        assert float(normal.gradient[0, parameter]) == pytest.approx(numeric, rel=2e-3, abs=2e-3)


def test_penetration_pushes_bodies_apart(anny):
    bodies = face_to_face(anny, gap=0.2)
    people = [Person(anny, part_points(anny, ()), ()) for _ in bodies]
    scene = Scene(people, bodies, with_hull=True)
    term = PenetrationTerm()
    normal = NormalEquations(1, scene.size)
    loss = float(term.value(scene, scene.state(bodies)))
    term.add(scene, scene.state(bodies), normal)
    step = torch.zeros(1, scene.size, dtype=torch.float64)
    for part in scene.slices:
        step[:, part.start] = -0.02 * torch.sign(normal.gradient[:, part.start])
    assert float(step[0, scene.slices[0].start]) < 0 < float(step[0, scene.slices[1].start])
    assert float(term.value(scene, scene.state(scene.moved(bodies, step)))) < 0.8 * loss
    apart = face_to_face(anny, gap=2.0)
    assert float(term.value(scene, scene.state(apart))) == 0.0


@pytest.mark.parametrize(("gap", "seed"), [(0.15, 0), (0.25, 10)])
def test_gradient_of_penetration_equals_finite_differences(anny, gap, seed):
    # Normals are held while it is differentiated: they turn little compared with what they belong to.
    bodies = [disturbed(body, seed + k) for k, body in enumerate(face_to_face(anny, gap=gap))]
    scene = Scene([Person(anny, part_points(anny, ()), ()) for _ in bodies], bodies, with_hull=True)
    term = PenetrationTerm()
    normal = NormalEquations(1, scene.size)
    term.add(scene, scene.state(bodies), normal)
    some = range(0, scene.size, 4)
    analytic, numeric = normal.gradient[0, :: some.step], torch.zeros(len(some), dtype=torch.float64)
    step = 1e-6
    for place, parameter in enumerate(some):
        change = torch.zeros(1, scene.size, dtype=torch.float64)
        change[0, parameter] = step
        above = term.value(scene, scene.state(scene.moved(bodies, change)))
        below = term.value(scene, scene.state(scene.moved(bodies, -change)))
        numeric[place] = float((above - below) / (2 * step))
    assert float(numeric.norm()) > 100.0
    assert float((analytic - numeric).norm()) < 0.02 * float(numeric.norm())


def test_contacts_keep_their_gradient_where_parts_touch(anny):
    # What is across the line between nearest points is loosened in the curvature only.
    contact = ContactSample((Contact(ContactEnd(0, "hand", "left"), ContactEnd(1, "back")),))
    term = ContactTerm([contact], 100.0, 0.05)
    people = [Person(anny, part_points(anny, ATOMS), ()) for _ in range(2)]
    here = [disturbed(body, seed) for seed, body in enumerate(face_to_face(anny))]
    gap = term.mean_gap(Scene(people, here, with_hull=False), Scene(people, here, with_hull=False).state(here))
    near = here[0].translation + (gap * (1 - 0.015 / gap.norm()))[None]
    here[0] = BodyParameters(near, here[0].rotations, here[0].shape)
    scene = Scene(people, here, with_hull=False)
    assert term.distance(scene, scene.state(here), term.settled(scene, scene.state(here))[0][0]) < 0.016
    normal = NormalEquations(1, scene.size)
    term.add(scene, scene.state(here), normal)
    for parameter in range(0, 9):
        change = torch.zeros(1, scene.size, dtype=torch.float64)
        change[0, parameter] = 1e-6
        above = term.value(scene, scene.state(scene.moved(here, change)))
        below = term.value(scene, scene.state(scene.moved(here, -change)))
        numeric = float((above - below) / 2e-6)
        assert float(normal.gradient[0, parameter]) == pytest.approx(numeric, rel=2e-3, abs=2e-3)
    along = gap / gap.norm()
    across = torch.linalg.cross(along, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    across = across / across.norm()
    curvature = normal.matrix[0, :3, :3]
    assert float(across @ curvature @ across) < 0.02 * float(along @ curvature @ along)


def test_a_batch_of_starts_is_a_list_of_single_ones(anny):
    bodies = face_to_face(anny)
    people = [Person(anny, part_points(anny, ATOMS), LANDMARKS) for _ in bodies]
    scene = Scene(people, bodies, with_hull=False)
    both = [disturbed(body, seed) for seed, body in enumerate(bodies)]
    pair = [
        BodyParameters(
            torch.cat([a.translation, b.translation]),
            torch.cat([a.rotations, b.rotations]),
            torch.cat([a.shape, b.shape]),
        )
        for a, b in zip(bodies, both, strict=True)
    ]
    term = terms()["contact"](bodies)
    together, alone = NormalEquations(2, scene.size), NormalEquations(1, scene.size)
    term.add(scene, scene.state(pair), together)
    term.add(scene, scene.state(both), alone)
    torch.testing.assert_close(together.gradient[1], alone.gradient[0])
    torch.testing.assert_close(together.matrix[1], alone.matrix[0])
    torch.testing.assert_close(term.value(scene, scene.state(pair))[1], term.value(scene, scene.state(both))[0])
