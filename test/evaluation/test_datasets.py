"""Converters, on small folders in the real layouts: poses, intrinsics, yaw bins, overlap, and what is not there."""

import cv2
import numpy as np
import pytest

from interpose_ros.cli import main
from interpose_ros.evaluation.datasets.draw import Bin, draw_pairs, yaw_deg
from interpose_ros.evaluation.datasets.layouts import LAYOUTS
from interpose_ros.evaluation.datasets.photos import DatasetError
from interpose_ros.evaluation.datasets.true_overlap import true_overlap
from interpose_ros.evaluation.pair_files import load_pair_file, read_pair_file, require_images
from interpose_ros.evaluation.published import published_figures
from interpose_ros.geometry.se3 import inverse

from .dataset_layouts import HEIGHT, MAKERS, WIDTH, true_poses

WITH_DEPTH = ("scannet", "7scenes", "navi", "tum")
FOCAL = {"scannet": 60.0, "7scenes": 525.0, "dl3dv": 60.0, "navi": 60.0, "tum": 535.4, "kitti": 70.0, "euroc": 45.8}


def scenes_of(layout, root):
    """The scenes that a reader finds in what a maker made."""
    MAKERS[layout][0](root)
    return LAYOUTS[layout].scenes(root)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_poses_that_were_written(layout, tmp_path):
    (scene,) = scenes_of(layout, tmp_path)
    expected = [true_poses()[k] for k in MAKERS[layout][1]]
    assert len(scene.photos) == len(expected)
    scale = 1000.0 if LAYOUTS[layout].unit == "millimetres" else 1.0
    for photo, T_world_camera in zip(scene.photos, expected, strict=True):
        assert np.allclose(photo.T_world_camera[:3, :3], T_world_camera[:3, :3], atol=1e-6)
        assert np.allclose(photo.T_world_camera[:3, 3], scale * T_world_camera[:3, 3], atol=1e-6 * scale)
        assert photo.image.is_file()
        assert (photo.depth is not None) == (layout in WITH_DEPTH)
    if layout in FOCAL:
        assert scene.photos[0].K[0, 0] == pytest.approx(FOCAL[layout])
    if layout == "dl3dv":  # corners of pixels in the file, centres here, a quarter of the size
        assert scene.photos[0].K[:2, 2] == pytest.approx([WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5])
    if layout == "cambridge":  # one focal length a photo
        assert [p.K[0, 0] for p in scene.photos] == pytest.approx([50.0 + k for k in MAKERS[layout][1]])
    if layout == "euroc":
        assert scene.photos[0].distortion[0] == pytest.approx(-0.28340811)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_command_makes_pair_files_by_yaw(layout, tmp_path, capsys):
    MAKERS[layout][0](tmp_path / "data")
    assert main(["convert", layout, str(tmp_path / "data"), str(tmp_path / "out"), "--per-bin", "7"]) == 0
    files = sorted((tmp_path / "out").glob("*.json"))
    assert {f.stem for f in files} == {f"{layout}-{low:g}-{high:g}" for low, high in LAYOUTS[layout].yaw_bins}
    for file in files:
        content = read_pair_file(file)
        require_images(file, content.pairs)
        low, high = (float(v) for v in file.stem.split("-")[-2:])
        assert content.protocol == file.stem
        assert content.pairs
        for pair in content.pairs:
            forward = pair.T_b_a[:3, 2]  # A's viewing direction in B
            yaw = abs(np.degrees(np.arctan2(forward[0], forward[2])))
            assert low - 1e-6 <= yaw < high + 1e-6
            assert (pair.overlap is not None) == (layout in WITH_DEPTH)
    assert "7 pairs of 1 scenes" in capsys.readouterr().out


def test_the_draw_is_seeded_and_takes_either_direction(tmp_path):
    scenes = scenes_of("kitti", tmp_path)

    def drawn(seed):
        return [(p.first, p.second) for p in draw_pairs(scenes, Bin((45.0, 75.0)), 8, seed)]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)
    assert len(set(drawn(0))) == 8
    assert {first < second for first, second in drawn(0)} == {True, False}


def test_scenes_take_turns(tmp_path):
    (scene,) = scenes_of("kitti", tmp_path)
    drawn = draw_pairs([scene, scene, scene], Bin((50.0, 65.0)), 9, 0)
    assert [pair.scene is scene for pair in drawn] == [True] * 9
    one, two = scenes_of("kitti", tmp_path / "one"), scenes_of("euroc", tmp_path / "two")
    names = [pair.scene.name for pair in draw_pairs([*one, *two], Bin((50.0, 65.0)), 6, 0)]
    assert names == ["00", "MH_01_easy"] * 3


def test_yaw_is_no_pitch():
    turned = [np.eye(4) for _ in range(3)]
    turned[1][:3, :3] = cv2.Rodrigues(np.radians([0.0, -60.0, 0.0]))[0]
    turned[2][:3, :3] = cv2.Rodrigues(np.radians([40.0, 0.0, 0.0]))[0]
    yaw = yaw_deg(np.stack(turned))
    assert yaw[0, 1] == pytest.approx(60.0)
    assert yaw[0, 2] == pytest.approx(0.0, abs=1e-9)
    assert yaw[2, 0] == pytest.approx(0.0, abs=1e-9)


def test_overlap_of_a_round_wall_is_that_of_the_views(tmp_path):
    (scene,) = scenes_of("scannet", tmp_path)
    photos = {int(photo.image.stem): photo for photo in scene.photos}
    overlaps = [true_overlap(photos[0], photos[k]) for k in (0, 1, 2, 4, 6, 8)]
    assert overlaps[0] == 1.0
    assert overlaps == sorted(overlaps, reverse=True)
    # 56 degrees of view: turned by 20 degrees about two thirds remain, by 80 nothing.
    assert overlaps[2] == pytest.approx(0.62, abs=0.12)
    assert overlaps[-1] == 0.0
    assert true_overlap(photos[4], photos[0]) == overlaps[3]


def test_what_stands_before_a_surface_hides_it(tmp_path):
    (scene,) = scenes_of("scannet", tmp_path)
    first, second = scene.photos[0], scene.photos[1]
    before = true_overlap(first, second)
    file = second.image.parent.parent / "depth" / f"{second.image.stem}.png"
    near = np.full((HEIGHT, WIDTH), 500, np.uint16)
    cv2.imwrite(str(file), near)
    assert true_overlap(first, second) < 0.05 < before


def test_overlap_bins(tmp_path):
    MAKERS["scannet"][0](tmp_path / "data")
    out = tmp_path / "out"
    bins = ["--yaw", "0-90", "--overlap", "0-0.2", "0.5-1"]
    assert main(["convert", "scannet", str(tmp_path / "data"), str(out), "--per-bin", "5", *bins]) == 0
    low, high = (load_pair_file(out / f"scannet-0-90-overlap-{name}.json") for name in ("0-0.2", "0.5-1"))
    assert all(pair.overlap < 0.2 for pair in low)
    assert all(pair.overlap >= 0.5 for pair in high)


def test_resized_images_have_their_own_intrinsics(tmp_path):
    MAKERS["scannet"][0](tmp_path / "data")
    arguments = ["--size", "40x40", "--yaw", "50-90", "--per-bin", "2"]
    assert main(["convert", "scannet", str(tmp_path / "data"), str(tmp_path / "out"), *arguments]) == 0
    for pair in load_pair_file(tmp_path / "out/scannet-50-90.json"):
        assert cv2.imread(str(pair.image_a)).shape == (40, 40, 3)
        # 64x48 to 53x40, then six columns off the left: the optical axis stays in the middle.
        assert pair.intrinsics_a == pytest.approx((60 * 53 / 64, 60 * 40 / 48, 20.0, 19.5), abs=0.6)


def test_frames_in_between_lie_between_and_run_from_first_to_second(tmp_path):
    MAKERS["kitti"][0](tmp_path / "data")
    arguments = ["--frames", "3", "--yaw", "50-90", "--per-bin", "12"]
    assert main(["convert", "kitti", str(tmp_path / "data"), str(tmp_path / "out"), *arguments]) == 0
    directions = set()
    for pair in load_pair_file(tmp_path / "out/kitti-50-90.json"):
        order = [int(path.stem) for path in (pair.image_a, *pair.frames, pair.image_b)]
        assert len(pair.frames) == 3
        assert order in (sorted(order), sorted(order, reverse=True))
        directions.add(order[0] < order[-1])
        T_b_a = inverse(true_poses()[order[-1]]) @ true_poses()[order[0]]
        assert np.allclose(pair.T_b_a, T_b_a, atol=1e-6)
    assert directions == {True, False}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_that_is_something_else_is_said_to_be(layout, tmp_path):
    with pytest.raises(DatasetError, match=r"holds no scene of .*looked for"):
        LAYOUTS[layout].scenes(tmp_path)


def test_sentences_about_what_is_missing(tmp_path, capsys):
    MAKERS["kitti"][0](tmp_path / "kitti")
    assert main(["convert", "kitti", str(tmp_path / "kitti"), str(tmp_path / "out"), "--overlap", "0-1"]) == 1
    assert "has no depth" in capsys.readouterr().err
    assert main(["convert", "kitti", str(tmp_path / "kitti"), str(tmp_path / "out"), "--yaw", "170-180"]) == 1
    assert "no pair in any bin" in capsys.readouterr().err
    MAKERS["cambridge"][0](tmp_path / "cambridge")
    (tmp_path / "cambridge/ShopFacade/reconstruction.nvm").unlink()
    with pytest.raises(DatasetError, match="focal lengths"):
        LAYOUTS["cambridge"].scenes(tmp_path / "cambridge")
    MAKERS["tum"][0](tmp_path / "tum")
    (tmp_path / "tum/rgbd_dataset_freiburg3_long_office_household").rename(tmp_path / "tum/office")
    with pytest.raises(DatasetError, match="freiburg1"):
        LAYOUTS["tum"].scenes(tmp_path / "tum")


def test_published_figures_stand_for_protocols_that_converters_make():
    protocols = {f"{name}-{low:g}-{high:g}" for name, layout in LAYOUTS.items() for low, high in layout.yaw_bins}
    known = {protocol for protocol in protocols if published_figures(protocol)}
    assert {"cambridge-50-65", "scannet-50-65", "scannet-65-90", "dl3dv-50-90", "navi-50-90"} <= known
    assert all(figure["source"] and figure["mre_deg"] > 0 for p in known for figure in published_figures(p))
    assert published_figures("tum-50-65") == []
