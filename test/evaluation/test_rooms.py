"""Rendered rooms: what is drawn where, and the pose that its matches give back."""

import cv2
import numpy as np

from interpose_ros.evaluation.rooms import Box, Room, photographed, random_room
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import rotation_exp

CAMERA = Camera(np.array([[200.0, 0.0, 159.5], [0.0, 200.0, 119.5], [0.0, 0.0, 1.0]]), 320, 240)
PALETTE = [np.full((8, 8, 3), (30 * face + 20, 0, 0), np.uint8) for face in range(6)]


def plain_box(centre, half, yaw=0.0, shade=0) -> Box:
    textures = [face + np.array([0, shade, 0], np.uint8) for face in PALETTE]
    return Box(np.array(centre, float), np.array(half, float), yaw, textures, 10.0)


def test_every_pixel_shows_the_first_face_that_its_ray_meets():
    room = Room(plain_box([0, 0, 0], [3, 2, 4]), [plain_box([0.0, 0.0, 2.0], [0.5, 0.5, 0.5], shade=99)])
    image = room.render(CAMERA, np.eye(3), np.zeros(3))
    # The box's near face lies at z = 1.5 and is 0.5 to either side: 200 * 0.5 / 1.5 = 66.7 pixels.
    on_box = image[:, :, 1] == 99
    u, v = np.meshgrid(np.arange(320) - 159.5, np.arange(240) - 119.5)
    expected = (np.abs(u) < 200 / 3) & (np.abs(v) < 200 / 3)
    np.testing.assert_array_equal(on_box, expected)
    assert np.all(image[on_box][:, 0] == 30 * 4 + 20)  # its -z face
    # Left edge: x = -0.8 z meets the wall x = -3 at z = 3.75, before the wall z = 4.
    assert image[119, 0, 0] == 0 * 30 + 20
    assert image[119, 60, 0] == 5 * 30 + 20  # the wall z = 4, from inside its +z face


def test_a_turned_box_is_turned_about_the_vertical():
    room = Room(plain_box([0, 0, 0], [5, 2, 5]), [plain_box([0, 0, 3], [0.5, 0.5, 0.5], np.pi / 4, shade=99)])
    image = room.render(CAMERA, np.eye(3), np.zeros(3))
    columns = np.flatnonzero(image[119, :, 1] == 99)
    # The edges at 0.7071 to either side and depth 3 are the outermost.
    np.testing.assert_allclose(columns[[0, -1]] - 159.5, np.array([-1, 1]) * 200 * np.sqrt(0.5) / 3, atol=1.0)
    assert len(set(image[119, columns, 0])) == 2  # two of its faces are seen


def test_texture_moves_as_the_camera_does():
    rng = np.random.default_rng(0)
    texture = [np.repeat(rng.integers(0, 255, (400, 400, 1), np.uint8), 3, 2) for _ in range(6)]
    room = Room(Box(np.zeros(3), np.array([4.0, 2.0, 4.0]), 0.0, texture, 50.0), [])
    before = room.render(CAMERA, np.eye(3), np.zeros(3))
    # 0.2 m to the right, at 4 m distance and 200 pixels focal length: the image moves 10 pixels to the left.
    after = room.render(CAMERA, np.eye(3), np.array([0.2, 0.0, 0.0]))
    np.testing.assert_allclose(after[110:130, 110:190].astype(int), before[110:130, 120:200].astype(int), atol=2)


def test_turning_on_the_spot_moves_the_image_by_a_homography():
    rng = np.random.default_rng(1)
    coarse = [rng.integers(0, 255, (50, 50, 3)).astype(np.uint8) for _ in range(6)]
    textures = [cv2.resize(image, (400, 400), interpolation=cv2.INTER_LINEAR) for image in coarse]
    room = Room(Box(np.zeros(3), np.array([4.0, 2.0, 4.0]), 0.0, textures, 50.0), [])
    R_world_camera = rotation_exp(np.array([0.0, np.arctan(0.25), 0.0]))
    before, turned = (room.render(CAMERA, R, np.zeros(3)) for R in (np.eye(3), R_world_camera))

    def difference(R: np.ndarray) -> float:
        H_before_turned = CAMERA.K @ R @ np.linalg.inv(CAMERA.K)
        expected = cv2.warpPerspective(
            before, H_before_turned, (320, 240), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        return float(np.median(np.abs(expected[40:200, 40:200].astype(int) - turned[40:200, 40:200])))

    assert difference(R_world_camera) <= 3.0
    assert difference(R_world_camera.T) > 20.0


def test_free_places_keep_their_distance():
    room = Room(plain_box([0, 0, 0], [3, 2, 4]), [plain_box([1, 0, 0], [0.5, 0.5, 0.5])])
    assert room.is_free(np.array([-1.0, 0.0, 0.0]), 0.3)
    assert not room.is_free(np.array([0.3, 0.0, 0.0]), 0.3)
    assert not room.is_free(np.array([-2.8, 0.0, 0.0]), 0.3)


def test_random_rooms_are_reproducible_and_differ():
    coarse = np.random.default_rng(9).integers(0, 255, (10, 20, 3)).astype(np.uint8)
    photographs = [cv2.resize(coarse, (480, 240), interpolation=cv2.INTER_CUBIC)]
    first, again, other = (random_room(photographs, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.shell.half, again.shell.half)
    assert np.any(first.shell.half != other.shell.half)
    image = first.render(CAMERA, np.eye(3), np.zeros(3))
    assert image.std() > 10
    seen = photographed(image, np.random.default_rng(3))
    assert seen.shape == image.shape
    assert seen.dtype == np.uint8
    assert np.corrcoef(seen.ravel(), image.ravel())[0, 1] > 0.8
