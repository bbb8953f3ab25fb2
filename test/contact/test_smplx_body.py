"""The SMPL-X adapter on a file of that layout that is made from Anny: no SMPL-X file can come with this package."""

import numpy as np
import pytest
import torch

from interpose_ros.contact.body_model import BodyModel, landmarks, mesh, neutral_body
from interpose_ros.contact.config import RefinementConfig
from interpose_ros.contact.constraints import ConstraintOrigin, Contact, ContactConstraints, ContactEnd, ContactSample
from interpose_ros.contact.refine import EstimatedPerson, refine
from interpose_ros.contact.rig import rotation_exp
from interpose_ros.contact.smplx_body import _JOINTS, SmplxBody


@pytest.fixture(scope="module")
def smplx(anny, tmp_path_factory):
    """Anny's coarse mesh in SMPL-X's axes, hung on SMPL-X's 55 joints."""
    body = neutral_body(anny)
    posed = mesh(anny, body)
    turn = torch.stack([anny.axes.left, anny.axes.up, anny.axes.forward])
    vertices = (posed.vertices[0][anny.hull_vertices] @ turn.T).numpy()
    names = list(anny.skeleton.names)
    joints = (posed.joints[0] @ turn.T).numpy()
    positions = np.stack([joints[names.index(alike)] for alike in _JOINTS.values()])
    for child, name in enumerate(_JOINTS):
        if name.endswith("_foot"):
            positions[child] += [0, -0.05, 0.12]
    parents = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]
    bones = np.concatenate([positions, np.repeat(positions[[15]], 3, 0), np.repeat(positions[[20, 21]], 15, 0)])
    kintree = np.array([[*parents, 15, 15, 15, *[20] * 15, *[21] * 15], range(55)])
    # Each vertex hangs on the nearest joint: crude, but a skinning.
    weights = np.zeros((len(vertices), 55))
    weights[np.arange(len(vertices)), np.linalg.norm(vertices[:, None] - positions[None], axis=2).argmin(1)] = 1.0
    nearest = np.argsort(np.linalg.norm(vertices[None] - bones[:, None], axis=2), axis=1)[:, :4]
    regressor = np.zeros((55, len(vertices)))
    for joint, some in enumerate(nearest):
        regressor[joint, some] = 0.25
    path = tmp_path_factory.mktemp("smplx") / "SMPLX_TEST.npz"
    np.savez(
        path,
        v_template=vertices,
        shapedirs=np.stack([0.05 * vertices * [k % 3 == c for c in range(3)] for k in range(12)], axis=2),
        J_regressor=regressor,
        weights=weights,
        f=anny.hull_faces.numpy(),
        kintree_table=kintree,
    )
    return SmplxBody(path)


def test_it_is_a_body_model(smplx):
    assert isinstance(smplx, BodyModel)
    assert len(smplx.skeleton.names) == 22
    assert smplx.shape_space.names == tuple(f"beta{k}" for k in range(10))
    assert {"left_wrist", "right_knee", "torso"} <= set(smplx.landmark_names)
    everything = torch.cat(list(smplx.regions().values()))
    assert torch.equal(everything.sort().values, torch.arange(smplx.vertex_count))


def test_joints_carry_what_hangs_on_them(smplx):
    body = neutral_body(smplx)
    before = dict(zip(smplx.landmark_names, landmarks(smplx, body)[0], strict=True))
    elbow = smplx.skeleton.names.index("left_elbow")
    body.rotations[0, elbow] = rotation_exp(torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64))
    after = dict(zip(smplx.landmark_names, landmarks(smplx, body)[0], strict=True))
    torch.testing.assert_close(after["left_elbow"], before["left_elbow"])
    torch.testing.assert_close(after["right_wrist"], before["right_wrist"])
    length = float((before["left_wrist"] - before["left_elbow"]).norm())
    assert float((after["left_wrist"] - after["left_elbow"]).norm()) == pytest.approx(length)
    assert float((after["left_wrist"] - before["left_wrist"]).norm()) > 0.1


def test_shape_is_linear(smplx):
    body = neutral_body(smplx)
    body.shape[0, 1] = 1.0
    tall = mesh(smplx, body).vertices[0, :, 1]
    plain = mesh(smplx, neutral_body(smplx)).vertices[0, :, 1]
    assert float(tall.max() - tall.min()) == pytest.approx(1.05 * float(plain.max() - plain.min()), rel=1e-6)


def test_two_of_them_shake_hands(smplx):
    people = []
    for x, turn in ((-0.5, 1.57), (0.5, -1.57)):
        body = neutral_body(smplx)
        upright = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
        body.rotations[0, 0] = rotation_exp(torch.tensor([0.0, turn, 0.0], dtype=torch.float64)) @ upright
        body.translation[0] = torch.tensor([x, 0.0, 4.0], dtype=torch.float64)
        people.append(EstimatedPerson(smplx, body))
    contact = Contact(ContactEnd(0, "hand"), ContactEnd(1, "hand"))
    constraints = ContactConstraints((ContactSample((contact,)),), ConstraintOrigin.REQUEST)
    result = refine(people, constraints, RefinementConfig())
    assert result.contacts[0].after < 0.02 < result.contacts[0].before


def test_another_file_is_named(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz cannot be read as an SMPL-X model"):
        SmplxBody(path)
    with pytest.raises(ValueError, match=r"missing\.npz cannot be read"):
        SmplxBody(tmp_path / "missing.npz")
