"""Bags of every kind become the same pair file: images, camera, truth through its extrinsic, keyframes, pairs."""

import json
import tracemalloc

import cv2
import numpy as np
import pytest
import yaml

from interpose_ros.cli import main
from interpose_ros.evaluation.pair_files import load_pair_file
from interpose_ros.evaluation.replay.bag import ReplayError, open_bag
from interpose_ros.evaluation.replay.drive import DriveSettings, read_drive
from interpose_ros.evaluation.replay.images import image_stamps as stamps_of_bag
from interpose_ros.evaluation.replay.images import write_images
from interpose_ros.evaluation.replay.topics import image_topic
from interpose_ros.evaluation.replay.trajectory_file import chained_poses, true_poses, write_trajectory
from interpose_ros.evaluation.replay.truth import TruthSettings
from interpose_ros.evaluation.trajectory import read_tum_trajectory
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import inverse

from . import bags
from .bags import BagMaker, image_stamps, pixels


def no_progress(_what):
    return lambda: None


def taken(bag, folder, **settings):
    """The content of the pair file that is made of a bag."""
    truth = settings.pop("truth", TruthSettings())
    wanted = DriveSettings(truth=truth, **{"period": 0.5, "frames_rate": 0.0, "pairs": "all", **settings})
    return json.loads(read_drive(bag, folder, wanted, no_progress).pair_file.read_text())


def drive(folder, kind="mcap", truth="PoseStamped", **images):
    """A bag of the drive."""
    maker = BagMaker(kind)
    maker.add_images(**images)
    maker.add_truth(truth)
    return maker.write(folder / "drive")


def assert_poses_are_true(content, tolerance=1e-4):
    """Every pair's pose is the drive's."""
    for pair in content["pairs"]:
        T_b_a = inverse(bags.T_world_camera(pair["stamp1_ns"])) @ bags.T_world_camera(pair["stamp0_ns"])
        assert np.allclose(pair["T_0to1"], T_b_a, atol=tolerance)


@pytest.mark.parametrize("kind", bags.KINDS)
@pytest.mark.parametrize("compressed", [False, ".png"])
def test_every_kind_of_bag_gives_the_same_pairs(kind, compressed, tmp_path):
    content = taken(drive(tmp_path, kind, compressed=compressed), tmp_path / "out")
    keyframes = [keyframe["stamp_ns"] for keyframe in content["keyframes"]]
    assert keyframes == image_stamps()[::2]
    assert len(content["pairs"]) == 7 * 6 / 2
    assert_poses_are_true(content)
    for pair in load_pair_file(tmp_path / "out/pairs.json"):
        number = image_stamps().index(int(pair.image_a.stem))
        assert np.array_equal(cv2.imread(str(pair.image_a)), pixels(number))
        assert pair.intrinsics_a == (60.0, 60.0, 31.5, 23.5)


@pytest.mark.parametrize(
    ("kind", "truth", "settings"),
    [
        ("mcap", "PoseStamped", TruthSettings()),
        ("mcap", "PoseWithCovarianceStamped", TruthSettings(body_frame=bags.BASE)),
        ("mcap", "PoseWithCovarianceStamped", TruthSettings(T_body_camera=bags.T_BASE_CAMERA)),
        ("mcap", "Odometry", TruthSettings()),
        ("ros 1", "Odometry", TruthSettings()),
        ("ros 1", "TransformStamped", TruthSettings()),
        ("mcap", "tf", TruthSettings("/tf")),
        ("ros 1", "tf", TruthSettings("/tf", world_frame="odom")),
        ("mcap", "tf", TruthSettings("/tf", "world", bags.BASE, bags.T_BASE_CAMERA)),
    ],
)
def test_truth_of_every_type_goes_through_the_extrinsic(kind, truth, settings, tmp_path):
    assert_poses_are_true(taken(drive(tmp_path, kind, truth), tmp_path / "out", truth=settings))


def test_truth_from_a_file(tmp_path):
    maker = BagMaker()
    maker.add_images()
    bag = maker.write(tmp_path / "drive")
    stamps = range(bags.BEGIN - 10**8, image_stamps()[-1] + 10**8, 50_000_000)
    write_trajectory(tmp_path / "truth.tum", {stamp: bags.T_world_camera(stamp) for stamp in stamps}, "made up")
    assert_poses_are_true(taken(bag, tmp_path / "out", truth=TruthSettings(str(tmp_path / "truth.tum"))))
    write_trajectory(
        tmp_path / "base.tum", {stamp - 5 * 10**9: bags.T_world_base(stamp) for stamp in stamps}, "made up"
    )
    shifted = TruthSettings(str(tmp_path / "base.tum"), T_body_camera=bags.T_BASE_CAMERA, offset_ns=5 * 10**9)
    assert_poses_are_true(taken(bag, tmp_path / "shifted", truth=shifted))


def test_a_gap_in_the_truth_is_no_truth(tmp_path):
    maker = BagMaker()
    maker.add_images()
    gap = (image_stamps()[3] - 10**8, image_stamps()[7] + 10**8)
    stamps = range(bags.BEGIN - 10**9, bags.BEGIN + 4 * 10**9, bags.TRUTH_PERIOD)
    maker.add_truth("PoseStamped", stamps=[stamp for stamp in stamps if not gap[0] < stamp < gap[1]])
    bag = maker.write(tmp_path / "drive")
    content = taken(bag, tmp_path / "out", period=0.2)
    assert [k["stamp_ns"] for k in content["keyframes"]] == [*image_stamps()[:3], *image_stamps()[8:]]
    wide = taken(bag, tmp_path / "wide", period=0.2, truth=TruthSettings(max_gap_ns=2 * 10**9))
    assert len(wide["keyframes"]) == bags.IMAGES


def test_keyframes_by_motion_and_by_list(tmp_path):
    bag = drive(tmp_path)
    # 5 degrees and 13 cm from image to image.
    turned = taken(bag, tmp_path / "turned", keyframes="motion", rotation=14.9, distance=99.0)
    moved = taken(bag, tmp_path / "moved", keyframes="motion", rotation=180.0, distance=0.6)
    assert [k["stamp_ns"] for k in turned["keyframes"]] == image_stamps()[::3]
    assert [k["stamp_ns"] for k in moved["keyframes"]] == image_stamps()[::5]
    listed = tmp_path / "list.txt"
    listed.write_text("# two\n1700000000.373456789\n1700000001.128 second\n")
    content = taken(bag, tmp_path / "listed", keyframes="list", keyframe_list=listed)
    assert [k["stamp_ns"] for k in content["keyframes"]] == [image_stamps()[1], image_stamps()[4]]
    listed.write_text("1700000001.05\n")
    with pytest.raises(ReplayError, match=r"nearest image is 0\.073 s away"):
        taken(bag, tmp_path / "far", keyframes="list", keyframe_list=listed)


def test_pairs_by_gap_and_at_most_so_many(tmp_path):
    bag = drive(tmp_path)
    near = taken(bag, tmp_path / "near", pairs="gap", gaps=(1, 3))
    keyframes = [k["stamp_ns"] for k in near["keyframes"]]
    apart = [keyframes.index(p["stamp1_ns"]) - keyframes.index(p["stamp0_ns"]) for p in near["pairs"]]
    assert sorted(apart) == [1] * 6 + [3] * 4
    some, others = (taken(bag, tmp_path / str(seed), most_pairs=5, seed=seed)["pairs"] for seed in (0, 1))
    assert len(some) == len(others) == 5
    assert some != others
    with pytest.raises(ReplayError, match="no pair of the 7 keyframes"):
        taken(bag, tmp_path / "none", pairs="gap", gaps=(50,))


def test_pairs_by_measured_overlap(tmp_path):
    bag = drive(tmp_path)
    apart = taken(bag, tmp_path / "apart", period=1.0, pairs="overlap", overlap=(0.0, 0.1))
    assert len(apart["pairs"]) == 6, "pictures of noise share nothing"
    with pytest.raises(ReplayError, match="widen --gap or --overlap"):
        taken(bag, tmp_path / "near", period=1.0, pairs="overlap", overlap=(0.5, 1.0))


def test_frames_in_between_are_those_of_the_stream(tmp_path):
    content = taken(drive(tmp_path), tmp_path / "out", period=1.0, frames_rate=4.0)
    pair = next(
        p for p in content["pairs"] if (p["stamp0_ns"], p["stamp1_ns"]) == (image_stamps()[0], image_stamps()[8])
    )
    assert pair["frames"] == [f"images/{stamp}.png" for stamp in image_stamps()[1:8]]
    few = taken(drive(tmp_path / "few"), tmp_path / "few/out", period=1.0, frames_rate=2.0)
    assert [len(p["frames"]) for p in few["pairs"][:3]] == [1, 3, 5]


@pytest.mark.parametrize("encoding", ["rgb8", "mono8"])
def test_raw_encodings(encoding, tmp_path):
    taken(drive(tmp_path, encoding=encoding), tmp_path / "out")
    read = cv2.imread(str(tmp_path / f"out/images/{image_stamps()[2]}.png"))
    expected = pixels(2) if encoding == "rgb8" else np.repeat(pixels(2)[..., :1], 3, axis=2)
    assert np.array_equal(read, expected)


def test_jpegs_are_kept_byte_for_byte(tmp_path):
    taken(drive(tmp_path, compressed=".jpg"), tmp_path / "out")
    written = (tmp_path / f"out/images/{image_stamps()[0]}.jpg").read_bytes()
    assert written == cv2.imencode(".jpg", pixels(0))[1].tobytes()


def test_calibration_from_a_file_and_lenses_that_pair_files_cannot_hold(tmp_path):
    bag = drive(tmp_path)
    file = tmp_path / "camera.yaml"
    calibration = {
        "image_width": 64,
        "image_height": 48,
        "camera_matrix": {"rows": 3, "cols": 3, "data": [50.0, 0, 31, 0, 51.0, 24, 0, 0, 1]},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1, -0.02, 0.0, 0.0, 0.0]},
    }
    file.write_text(yaml.safe_dump(calibration))
    pair = taken(bag, tmp_path / "out", camera_info=str(file))["pairs"][0]
    assert (pair["K0"][0][0], pair["dist0"][:2]) == (50.0, [0.1, -0.02])
    calibration["distortion_model"] = "equidistant"
    calibration["distortion_coefficients"]["data"] = [0.05, 0.0, 0.0, 0.0]
    file.write_text(yaml.safe_dump(calibration))
    fish = taken(bag, tmp_path / "fish", camera_info=str(file))["pairs"][0]
    assert fish["dist0"] is None, "taken out of the pixels instead"
    assert not np.array_equal(cv2.imread(str(tmp_path / "fish" / fish["image0"])), pixels(0))
    file.write_text("image_width: 64\n")
    with pytest.raises(ReplayError, match=r"camera\.yaml is no calibration"):
        taken(bag, tmp_path / "bad", camera_info=str(file))


def test_topics_that_can_be_meant_are_named(tmp_path):
    maker = BagMaker()
    maker.add_images("/left/image_raw")
    maker.add_images("/right/image_raw")
    maker.add_truth("Odometry", "/odom")
    bag = maker.write(tmp_path / "drive")
    with pytest.raises(ReplayError, match=r"/left/image_raw, /right/image_raw.*--image-topic"):
        taken(bag, tmp_path / "out")
    with pytest.raises(ReplayError, match=r"(?s)no topic .* named like a truth.*/odom  nav_msgs/msg/Odometry"):
        taken(bag, tmp_path / "out", image_topic="/left/image_raw")
    with pytest.raises(ReplayError, match="no poses on /nowhere"):
        taken(bag, tmp_path / "out", image_topic="/left/image_raw", truth=TruthSettings("/nowhere"))
    assert_poses_are_true(taken(bag, tmp_path / "out", image_topic="/left/image_raw", truth=TruthSettings("/odom")))


def test_raw_and_compressed_of_one_camera_are_no_two_cameras(tmp_path):
    maker = BagMaker()
    maker.add_images()
    maker.add_images(compressed=".png")
    with open_bag(maker.write(tmp_path / "drive")) as bag:
        assert image_topic(bag, None).name == "/front/image_raw/compressed"
        assert image_topic(bag, "/front/image_raw").name == "/front/image_raw"


def test_truth_of_another_time_or_place_is_said_to_be(tmp_path):
    bag = drive(tmp_path)
    with pytest.raises(ReplayError, match=r"do not overlap in time.*1700000000\.123.*--truth-offset"):
        taken(bag, tmp_path / "out", truth=TruthSettings(offset_ns=10**12))
    with pytest.raises(ReplayError, match=r"at most 0\.01 s apart; --max-gap"):
        taken(bag, tmp_path / "out", truth=TruthSettings(max_gap_ns=10_000_000, offset_ns=7_000_000))
    with pytest.raises(ReplayError, match=r"truth is of gimbal .* --extrinsic"):
        taken(bag, tmp_path / "out", truth=TruthSettings(body_frame="gimbal"))
    tree = drive(tmp_path / "tree", truth="tf")
    with pytest.raises(ReplayError, match=r"know no frame map; they know base_link, front_optical, odom, world"):
        taken(tree, tmp_path / "out", truth=TruthSettings("/tf", world_frame="map"))
    with pytest.raises(ReplayError, match="nothing between base_link and front_optical moves"):
        taken(tree, tmp_path / "out", truth=TruthSettings("/tf", world_frame=bags.BASE))


def test_what_is_no_bag_is_said_to_be_none(tmp_path):
    (tmp_path / "x.mcap").write_bytes(b"no bag")
    for path in (tmp_path / "nothing", tmp_path / "x.mcap", tmp_path):
        with pytest.raises(ReplayError, match="a bag is a rosbag2 folder"):
            taken(path, tmp_path / "out")


def test_a_bag_cut_off_in_the_middle_is_an_error_and_no_crash(tmp_path):
    bag = drive(tmp_path)
    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ReplayError):
        taken(bag, tmp_path / "out")


def test_memory_does_not_grow_with_the_bag(tmp_path):
    maker = BagMaker("mcap")
    maker.add_images(stamps=[bags.BEGIN + k * 10**7 for k in range(300)], padding=4000)
    maker.add_truth("PoseStamped")
    path = maker.write(tmp_path / "drive")
    maker.messages.clear()
    size = sum(file.stat().st_size for file in path.iterdir())
    tracemalloc.start()
    with open_bag(path) as bag:
        topic = image_topic(bag, None)
        stamps, _ = stamps_of_bag(bag, topic)
        assert len(stamps) == 300
        write_images(bag, topic, stamps[::100], Camera(bags.K, bags.WIDTH, bags.HEIGHT), tmp_path / "images")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 50e6
    assert most < 0.2 * size


def answered(pair, number, **fields):
    """The row of a right answer."""
    T = np.array(pair["T_0to1"])
    return {
        "pair": number,
        "answered": True,
        "R_b_a": T[:3, :3].tolist(),
        "direction_b_a": (T[:3, 3] / np.linalg.norm(T[:3, 3])).tolist(),
        "true_direction": True,
        "true_baseline": float(np.linalg.norm(T[:3, 3])),
        "confidence": None,
        **fields,
    }


def test_right_answers_chain_up_to_the_truth(tmp_path):
    content = taken(drive(tmp_path), tmp_path / "out")
    rows = [answered(pair, number) for number, pair in enumerate(content["pairs"])]
    assert_same(chained_poses(content, rows), true_poses(content))
    # The last keyframe hangs on by one answer alone, which runs against time; a wrong, doubtful one is passed by.
    last = content["keyframes"][-1]["stamp_ns"]
    chain = [r for r in rows if last not in (content["pairs"][r["pair"]]["stamp1_ns"],)]
    sure = {"rotation_5deg": 0.99}
    chain = [{**r, "confidence": sure} for r in chain]
    wrong = {**chain[0], "R_b_a": np.eye(3).tolist(), "confidence": {"rotation_5deg": 0.1}}
    assert_same(chained_poses(content, [wrong, *chain[1:], rows[-1]]), true_poses(content))
    assert last not in chained_poses(content, chain)
    assert chained_poses(content, [{**r, "answered": False} for r in rows]) == {}
    no_direction = [{**r, "direction_b_a": None} for r in rows]
    assert chained_poses(content, no_direction) == {}, "a step of unknown direction leads nowhere"


def assert_same(poses, expected):
    """Equal poses at equal stamps."""
    assert set(poses) == set(expected)
    assert all(np.allclose(poses[stamp], expected[stamp], atol=1e-6) for stamp in poses)


def test_trajectories_are_read_back(tmp_path):
    poses = {stamp: bags.T_world_camera(stamp) for stamp in image_stamps()}
    write_trajectory(tmp_path / "t.tum", poses, "a comment")
    read = read_tum_trajectory(tmp_path / "t.tum")
    assert read.stamps_ns == image_stamps()
    assert np.allclose(read.T_world_body, list(poses.values()), atol=1e-8)


def test_the_command_writes_a_run_and_goes_on_with_it(tmp_path, capsys):
    bag, out = drive(tmp_path), tmp_path / "out"
    command = [
        "replay",
        str(bag),
        "--out",
        str(out),
        "--period",
        "1",
        "--gap",
        "1",
        "--without-frames",
        "--answers-only",
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "13 images on /front/image_raw, 13 of them with known pose; truth: /vicon/pose" in printed
    assert "4 keyframes by time, 3 pairs by gap" in printed
    names = {"run.json", "rows.jsonl", "summary.json", "report.html", "pairs.json", "truth.tum"}
    assert names <= {path.name for path in out.iterdir()}
    assert "no two keyframes are connected by an answer" in printed
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["no_overlap"] * 3, "noise is no place"
    assert read_tum_trajectory(out / "truth.tum").stamps_ns == image_stamps()[::4]
    before = (out / "rows.jsonl").read_bytes()
    assert main(command) == 0
    assert (out / "rows.jsonl").read_bytes() == before
    assert main([*command, "--pairs", "all"]) == 1
    assert "another bag, or with other settings" in capsys.readouterr().err
    assert main(["replay", str(bag), "--out", str(out), "--list"]) == 0
    assert "/vicon/pose  geometry_msgs/msg/PoseStamped" in capsys.readouterr().out
