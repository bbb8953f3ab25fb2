"""Look-alikes: what is seen from the deceptive place is what is seen from the first, which is far turned from it."""

import cv2
import numpy as np
import pytest

from interpose_ros.evaluation.look_alikes import (
    LOOK_ALIKES,
    Place,
    mirrored_corridor,
    swapped_poster,
    tiled_facade,
)
from interpose_ros.evaluation.rooms import Room
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_exp

CAMERA = Camera(np.array([[120.0, 0.0, 79.5], [0.0, 120.0, 59.5], [0.0, 0.0, 1.0]]), 160, 120)


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 255, (24, 48, 3)).astype(np.uint8) for _ in range(4)]
    return [cv2.resize(image, (480, 240), interpolation=cv2.INTER_CUBIC) for image in coarse]


def similarity(image: np.ndarray, other: np.ndarray) -> float:
    """Correlation of the middle of two images."""
    middle = (slice(30, 90), slice(40, 120))
    return float(np.corrcoef(image[middle].ravel(), other[middle].ravel())[0, 1])


def turned_about_the_vertical(place: Place, quarter_turns: int, room: Room) -> Place:
    """The same stand and look, in a world that was turned about its centre."""
    R = rotation_exp(np.array([0.0, quarter_turns * np.pi / 2, 0.0]))
    return Place(room, R @ place.R_world_camera, R @ place.centre_world)


@pytest.mark.parametrize("kind", LOOK_ALIKES)
def test_deceptive_places_are_far_turned_and_near_ones_are_not(kind, photographs):
    for seed in range(5):
        found = LOOK_ALIKES[kind](photographs, np.random.default_rng(seed))
        turned, step = (
            np.degrees(rotation_distance(found.first.R_world_camera.T, place.R_world_camera.T))
            for place in (found.deceptive, found.near)
        )
        assert turned > 60.0
        assert step < 30.0


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_every_side_of_the_house_looks_the_same_but_for_the_light(turns, photographs):
    found = tiled_facade(photographs, np.random.default_rng(1))
    image = found.first.render(CAMERA)
    assert similarity(image, turned_about_the_vertical(found.first, turns, found.first.room).render(CAMERA)) > 0.8
    other = tiled_facade(photographs, np.random.default_rng(2)).first.render(CAMERA)
    assert similarity(image, other) < 0.6


def test_the_empty_corridor_looks_the_same_from_both_ends(photographs):
    found = mirrored_corridor(photographs, np.random.default_rng(1))
    empty = Room(found.first.room.shell, [])
    image = turned_about_the_vertical(found.first, 0, empty).render(CAMERA)
    assert similarity(image, turned_about_the_vertical(found.first, 2, empty).render(CAMERA)) > 0.8
    assert similarity(image, turned_about_the_vertical(found.first, 1, empty).render(CAMERA)) < 0.6


def test_the_poster_hangs_on_another_wall(photographs):
    for seed in range(4):
        found = swapped_poster(photographs, np.random.default_rng(seed))
        walls = [place.room.boxes[-1].centre for place in (found.first, found.deceptive)]
        assert np.linalg.norm(walls[0] - walls[1]) > 2.0
        assert found.near.room is found.first.room
        first, moved = (place.room.boxes[-1] for place in (found.first, found.deceptive))
        np.testing.assert_array_equal(first.textures[4], moved.textures[4])
        # The side that shows it faces the camera: -z of the poster points from the wall to where the camera stands.
        for poster, place in ((first, found.first), (moved, found.deceptive)):
            towards_camera = poster.R_box_world @ (place.centre_world - poster.centre)
            assert towards_camera[2] < -1.0


@pytest.mark.parametrize("kind", LOOK_ALIKES)
def test_places_are_reproducible(kind, photographs):
    first, again = (LOOK_ALIKES[kind](photographs, np.random.default_rng(3)).deceptive for _ in range(2))
    np.testing.assert_array_equal(first.T_world_camera, again.T_world_camera)
    np.testing.assert_array_equal(first.render(CAMERA), again.render(CAMERA))
