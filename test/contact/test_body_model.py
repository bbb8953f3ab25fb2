"""The Anny body model against Anny's own output, and its derivatives."""

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from interpose_ros.cli import main
from interpose_ros.contact.anny_body import AnnyBody
from interpose_ros.contact.anny_file import _save, load_anny
from interpose_ros.contact.body_model import (
    COCO_KEYPOINTS,
    BodyModel,
    landmark_points,
    landmarks,
    mesh,
    neutral_body,
)
from interpose_ros.contact.body_parts import ATOMS
from interpose_ros.contact.contact_points import part_points
from interpose_ros.contact.model_files import BODY_MODEL_DIRECTORY_VARIABLE, BodyModelMissing, anny_path
from interpose_ros.contact.rig import (
    BodyParameters,
    ParameterLayout,
    inverse_left_jacobian,
    place,
    pose,
    rotation_exp,
    rotation_log,
)


def random_bodies(model, count, seed=0, spread=0.4):
    generator = torch.Generator().manual_seed(seed)
    joints = len(model.skeleton.names)
    space = model.shape_space
    share = 0.1 + 0.8 * torch.rand(count, len(space.names), generator=generator, dtype=torch.float64)
    return BodyParameters(
        torch.randn(count, 3, generator=generator, dtype=torch.float64),
        rotation_exp(spread * torch.randn(count, joints, 3, generator=generator, dtype=torch.float64)),
        space.low + share * (space.high - space.low),
    )


def test_anny_stands_where_the_package_itself_puts_it(anny):
    # Vertices, key points and bones' heads that anny 0.6.2 gave for these parameters in "local-ref".
    with np.load(Path(__file__).parent / "anny_reference.npz") as file:
        reference = {name: torch.as_tensor(file[name]) for name in file.files}
    body = BodyParameters(reference["translation"], rotation_exp(reference["rotation_vectors"]), reference["shape"])
    result = mesh(anny, body)
    chosen = result.vertices[:, reference["vertex_indices"]]
    assert float((chosen - reference["vertices"]).abs().max()) < 1e-6
    assert float((result.joints - reference["joints"]).abs().max()) < 1e-6
    keypoints = result.landmarks[:, : reference["keypoints"].shape[1]]
    assert float((keypoints - reference["keypoints"]).abs().max()) < 1e-4


def test_anny_is_a_body_model_with_the_coco_key_points(anny):
    assert isinstance(anny, BodyModel)
    assert set(COCO_KEYPOINTS) <= set(anny.landmark_names)
    assert len(anny.skeleton.names) == 34
    assert int(anny.skeleton.free.sum()) == 20


def test_the_neutral_body_is_a_grown_up_facing_forward(anny):
    body = mesh(anny, neutral_body(anny)).vertices[0]
    height = float((body @ anny.axes.up).max() - (body @ anny.axes.up).min())
    assert 1.6 < height < 1.9
    named = dict(zip(anny.landmark_names, landmarks(anny, neutral_body(anny))[0], strict=True))
    assert float((named["nose"] - named["head"]) @ anny.axes.forward) > 0.08
    assert float((named["left_shoulder"] - named["right_shoulder"]) @ anny.axes.left) > 0.25


def test_age_makes_children(anny):
    body = neutral_body(anny)
    body.shape[:, anny.shape_space.names.index("age")] = 1 / 3
    child = mesh(anny, body).vertices[0, :, 2]
    assert 1.1 < float(child.max() - child.min()) < 1.5


def test_meshes_are_closed_and_outward(anny):
    vertices = mesh(anny, neutral_body(anny)).vertices[0]
    corners = vertices[anny.hull_vertices][anny.hull_faces]
    volume = float((corners[:, 0] * torch.linalg.cross(corners[:, 1], corners[:, 2])).sum() / 6)
    assert 0.05 < volume < 0.1
    edges = torch.cat([anny.hull_faces[:, [0, 1]], anny.hull_faces[:, [1, 2]], anny.hull_faces[:, [2, 0]]])
    keys, counts = torch.unique(edges[:, 0] * 100_000 + edges[:, 1], return_counts=True)
    assert int(counts.max()) == 1
    assert torch.equal(keys, torch.unique(edges[:, 1] * 100_000 + edges[:, 0]))


def test_autograd_reaches_every_parameter(anny):
    body = random_bodies(anny, 1)
    for tensor in (body.translation, body.rotations, body.shape):
        tensor.requires_grad_(True)
    landmarks(anny, body, ("left_hand", "right_ankle", "nose")).square().sum().backward()
    assert all(float(t.grad.abs().sum()) > 0 for t in (body.translation, body.rotations, body.shape))


def test_point_derivatives_equal_finite_differences(anny):
    body = random_bodies(anny, 2, seed=3)
    points = torch.cat([torch.tensor([15, 4000, 9000, 13000]), landmark_points(anny, ("left_hand", "nose"))])
    layout = ParameterLayout(anny.skeleton, len(anny.shape_space.names))
    shaped = anny.shaped(body.shape, points, derivatives=True)
    chosen = torch.tensor([[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]])
    analytic = layout.point_derivatives(pose(anny.skeleton, body, shaped.offsets), shaped, chosen)

    def positions(step):
        moved = layout.moved(body, step)
        exact = anny.shaped(moved.shape, points)
        return place(pose(anny.skeleton, moved, exact.offsets), exact)[torch.arange(2)[:, None], chosen]

    step = 1e-5
    for parameter in range(layout.size):
        change = torch.zeros(2, layout.size, dtype=torch.float64)
        change[:, parameter] = step
        numeric = (positions(change) - positions(-change)) / (2 * step)
        torch.testing.assert_close(analytic[..., parameter], numeric, atol=2e-5, rtol=1e-4)


def test_shapes_are_linear_in_small_steps(anny):
    body = random_bodies(anny, 1, seed=5)
    points = torch.arange(0, anny.vertex_count, 500)
    shaped = anny.shaped(body.shape, points, derivatives=True)
    near = body.shape + 0.01
    predicted = shaped.at_shape(near)
    exact = anny.shaped(near, points)
    assert float((predicted.local - exact.local).abs().max()) < 5e-4
    assert float((exact.local - shaped.local).abs().max()) > 1e-3


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 0.5, 3.0, 3.1415])
def test_rotation_log_inverts_exp(angle):
    axis = torch.tensor([[0.6, -0.48, 0.64]], dtype=torch.float64)
    torch.testing.assert_close(rotation_log(rotation_exp(angle * axis)), angle * axis, atol=1e-7, rtol=1e-7)


def test_inverse_left_jacobian_is_the_derivative_of_the_log():
    r = torch.tensor([[0.4, -1.1, 0.7], [1e-5, 0.0, 2e-5]], dtype=torch.float64)
    d = torch.tensor([1e-6, -2e-6, 1.5e-6], dtype=torch.float64)
    change = rotation_log(rotation_exp(d.expand(2, 3)) @ rotation_exp(r)) - r
    torch.testing.assert_close(change, inverse_left_jacobian(r) @ d, atol=1e-11, rtol=1e-5)


def test_an_unknown_joint_is_named(anny):
    with pytest.raises(ValueError, match="no joint 'left_wing'"):
        landmarks(anny, neutral_body(anny), ("left_wing",))


def test_it_is_read_in_seconds(anny):
    began = time.process_time()
    model = AnnyBody.load()
    part_points(model, ATOMS)
    assert time.process_time() - began < 15.0  # a second or two on a quiet machine; making it takes a minute


def test_what_is_written_is_read_back_and_nothing_else_is_left(tmp_path):
    arrays = load_anny()
    path = tmp_path / "again.safetensors"
    _save(arrays, path)
    assert [file.name for file in tmp_path.iterdir()] == ["again.safetensors"]
    assert path.stat().st_size < 50e6
    again = load_anny(path)
    for field in dataclasses.fields(arrays):
        before, after = getattr(arrays, field.name), getattr(again, field.name)
        assert torch.equal(before, after) if isinstance(before, torch.Tensor) else before == after


def test_the_command_says_where_the_file_lies_and_how_to_remove_it(capsys):
    assert main(["body-model"]) == 0
    told = capsys.readouterr().out
    assert str(anny_path()) in told
    assert "remove the file to be rid of it" in told


def test_a_file_of_another_format_is_named(tmp_path):
    path = tmp_path / "old.safetensors"
    save_file({"vertices": torch.zeros(3, 3)}, str(path), metadata={"format": "interpose_ros anny 0"})
    with pytest.raises(ValueError, match=r"old\.safetensors is no Anny file of format"):
        load_anny(path)


def test_without_its_file_the_error_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setenv(BODY_MODEL_DIRECTORY_VARIABLE, str(tmp_path))
    assert anny_path().parent == tmp_path
    with pytest.raises(BodyModelMissing, match="interpose body-model"):
        AnnyBody.load()
    anny_path().write_bytes(b"not a model")
    with pytest.raises(ValueError, match="remove it and make it anew"):
        AnnyBody.load()
