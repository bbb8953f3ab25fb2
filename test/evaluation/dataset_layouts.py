"""Small folders in the real layouts of the data sets, of one made-up drive: a camera that turns by 10 degrees a frame.

Every maker writes the same poses in its data set's convention, so that every reader must give back the same.
"""

import csv
import json

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from interpose_ros.geometry.se3 import inverse, transform_from_rotation_translation

COUNT = 12
WIDTH, HEIGHT = 64, 48
GL_TO_CV = np.diag([1.0, -1.0, -1.0, 1.0])


def true_poses():
    """``T_world_camera``: 10 degrees of yaw a frame, with some pitch and a walk."""
    return [
        transform_from_rotation_translation(
            Rotation.from_euler("YX", [10.0 * k, 2.0 * (k % 3)], degrees=True).as_matrix(),
            np.array([0.1 * k, 0.02, 0.05 * k]),
        )
        for k in range(COUNT)
    ]


def wall_depth(T_world_camera, K, distance=3.0):
    """Depth in metres of a round wall about the origin, seen from inside; the same points from every camera."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    rays = np.stack([(columns - K[0, 2]) / K[0, 0], (rows - K[1, 2]) / K[1, 1], np.ones_like(rows)], -1)
    directions = rays @ T_world_camera[:3, :3].T
    centre = T_world_camera[:3, 3]
    a, b = (directions**2).sum(-1), directions @ centre
    return (-b + np.sqrt(b**2 - a * (centre @ centre - distance**2))) / a  # along the optical axis, as rays have z = 1


def image(path, seed=0):
    """A picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8))


def sixteen_bit(path, values):
    """A depth image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.rint(values).astype(np.uint16))


def text_matrix(path, T):
    """A matrix as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(" ".join(repr(float(v)) for v in row) for row in T) + "\n")


def scannet(root):
    """SensReader's export; frame 3 lost tracking."""
    scene = root / "scans" / "scene0000_00"
    K = np.array([[60.0, 0, 31.5, 0], [0, 60.0, 23.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for name in ("color", "depth"):
        text_matrix(scene / "intrinsic" / f"intrinsic_{name}.txt", K)
    for k, T in enumerate(true_poses()):
        image(scene / "color" / f"{k}.jpg", k)
        sixteen_bit(scene / "depth" / f"{k}.png", 1000 * wall_depth(T, K))
        text_matrix(scene / "pose" / f"{k}.txt", np.full((4, 4), -np.inf) if k == 3 else T)


def seven_scenes(root):
    """One sequence."""
    K_depth = np.array([[585.0, 0, 320.0], [0, 585.0, 240.0], [0, 0, 1]])
    for k, T in enumerate(true_poses()):
        name = root / "chess" / "seq-01" / f"frame-{k:06d}"
        image(name.with_suffix(".color.png"), k)
        sixteen_bit(name.with_suffix(".depth.png"), 1000 * wall_depth(T, K_depth))
        text_matrix(name.with_suffix(".pose.txt"), T)


def cambridge(root):
    """One landmark with both lists."""
    scene = root / "ShopFacade"
    heads = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
    lists, nvm = {"train": [], "test": []}, []
    for k, T in enumerate(true_poses()):
        name = f"seq{1 + k % 2}/frame{k:05d}.png"
        image(scene / name, k)
        x, y, z, w = Rotation.from_matrix(T[:3, :3].T).as_quat().tolist()
        centre = " ".join(repr(float(v)) for v in T[:3, 3])
        lists["train" if k % 3 else "test"].append(f"{name} {centre} {w!r} {x!r} {y!r} {z!r}")
        nvm.append(f"{name[:-4]}.jpg\t{50.0 + k} {w!r} {x!r} {y!r} {z!r} {centre} 0.01 0")
    for part, lines in lists.items():
        (scene / f"dataset_{part}.txt").write_text(heads + "\n".join(lines) + "\n")
    (scene / "reconstruction.nvm").write_text(
        f"NVM_V3 \n\n{COUNT}\n" + "\n".join(nvm) + "\n\n1\n0 0 0 1 2 3 1 0 5 0.5 0.5\n"
    )


def dl3dv(root):
    """One scene at a quarter of its full size."""
    scene = root / "1K" / "0a1b7c20a92c43c6b8954b1ac909fb2f"
    frames = []
    for k, T in enumerate(true_poses()):
        image(scene / "images_4" / f"frame_{k + 1:05d}.png", k)
        frames.append({"file_path": f"images/frame_{k + 1:05d}.png", "transform_matrix": (T @ GL_TO_CV).tolist()})
    intrinsics = {"w": 4 * WIDTH, "h": 4 * HEIGHT, "fl_x": 240.0, "fl_y": 240.0, "cx": 2.0 * WIDTH, "cy": 2.0 * HEIGHT}
    lens = {"k1": 0.01, "k2": -0.002, "p1": 0.0, "p2": 0.0, "camera_model": "OPENCV"}
    (scene / "transforms.json").write_text(json.dumps({**intrinsics, **lens, "frames": frames}))


def navi(root):
    """One multi-view collection, and a wild set that is no scene."""
    for collection in ("multiview-00-pixel_5", "wild_set"):
        folder = root / "navi_v1.5" / "3d_dollhouse_sink" / collection
        entries = []
        for k, T in enumerate(true_poses()):
            image(folder / "images" / f"{k:03d}.jpg", k)
            K = np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]])
            sixteen_bit(folder / "depth" / f"{k:03d}.png", 655350.0 / (1000 * wall_depth(T, K)))
            T_camera_object = inverse(T)
            x, y, z, w = Rotation.from_matrix(T_camera_object[:3, :3]).as_quat()
            t = (1000 * T_camera_object[:3, 3]).tolist()
            camera = {"q": [w, x, y, z], "t": t, "focal_length": 60.0, "camera_model": "pixel_5"}
            entries.append({"filename": f"{k:03d}.jpg", "image_size": [HEIGHT, WIDTH], "camera": camera})
        (folder / "annotations.json").write_text(json.dumps(entries))


def tum(root):
    """One sequence; motion capture twice as often as images, and none about the last image."""
    sequence = root / "rgbd_dataset_freiburg3_long_office_household"
    K = np.array([[535.4, 0, 320.1], [0, 539.2, 247.6], [0, 0, 1]])
    colour, depth, truth = (["# made up"] for _ in range(3))
    for k, T in enumerate(true_poses()):
        stamp = f"{1341847980 + k}.{123456}"
        image(sequence / "rgb" / f"{stamp}.png", k)
        sixteen_bit(sequence / "depth" / f"{stamp}.png", 5000 * wall_depth(T, K))
        colour.append(f"{stamp} rgb/{stamp}.png")
        depth.append(f"{stamp[:-1]}9 depth/{stamp}.png")
        if k < COUNT - 1:
            numbers = [*T[:3, 3], *Rotation.from_matrix(T[:3, :3]).as_quat()]
            for later in ("100000", "150000"):  # still around the image
                truth.append(" ".join([f"{1341847980 + k}.{later}", *(repr(float(v)) for v in numbers)]))
    for name, lines in (("rgb", colour), ("depth", depth), ("groundtruth", truth)):
        (sequence / f"{name}.txt").write_text("\n".join(lines) + "\n")


def kitti(root):
    """One sequence, colour camera 6 cm beside the grey one."""
    sequence = root / "dataset" / "sequences" / "00"
    T_camera0_camera2 = transform_from_rotation_translation(np.eye(3), np.array([0.06, 0.001, -0.002]))
    K = np.array([[70.0, 0, 31.0], [0, 70.0, 24.0], [0, 0, 1]])
    lines = []
    for k, T_world_camera in enumerate(true_poses()):
        image(sequence / "image_2" / f"{k:06d}.png", k)
        lines.append(" ".join(repr(float(v)) for v in (T_world_camera @ inverse(T_camera0_camera2))[:3].ravel()))
    P2 = np.hstack([K, (K @ inverse(T_camera0_camera2)[:3, 3])[:, None]])
    P0 = np.hstack([K, np.zeros((3, 1))])
    calibration = [f"{name}: " + " ".join(repr(float(v)) for v in P.ravel()) for name, P in (("P0", P0), ("P2", P2))]
    (sequence / "calib.txt").write_text("\n".join(calibration) + "\n")
    poses = root / "dataset" / "poses" / "00.txt"
    poses.parent.mkdir(parents=True)
    poses.write_text("\n".join(lines) + "\n")


def euroc(root):
    """One sequence; the truth is of the body, and does not cover the first image."""
    mav = root / "MH_01_easy" / "mav0"
    T_body_camera = transform_from_rotation_translation(
        Rotation.from_euler("XYZ", [1.0, -2.0, 90.0], degrees=True).as_matrix(), np.array([-0.02, -0.06, 0.01])
    )
    stamps = [1403636579763555584 + 50_000_000 * k for k in range(COUNT)]
    for k, stamp in enumerate(stamps):
        image(mav / "cam0" / "data" / f"{stamp}.png", k)
    with (mav / "cam0" / "data.csv").open("w", newline="") as stream:
        stream.write("#timestamp [ns],filename\n")
        csv.writer(stream).writerows((stamp, f"{stamp}.png") for stamp in stamps)
    data = ", ".join(repr(float(v)) for v in T_body_camera.ravel())
    (mav / "cam0" / "sensor.yaml").write_text(
        f"sensor_type: camera\nT_BS:\n  cols: 4\n  rows: 4\n  data: [{data}]\nrate_hz: 20\nresolution: [{WIDTH}, {HEIGHT}]\n"
        "camera_model: pinhole\nintrinsics: [45.8, 45.7, 36.7, 24.8]\ndistortion_model: radial-tangential\n"
        "distortion_coefficients: [-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]\n"
    )
    truth = mav / "state_groundtruth_estimate0" / "data.csv"
    truth.parent.mkdir()
    with truth.open("w", newline="") as stream:
        stream.write(
            "#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], q_RS_z []\n"
        )
        for stamp, T_world_camera in list(zip(stamps, true_poses(), strict=True))[1:]:
            T = T_world_camera @ inverse(T_body_camera)
            x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
            csv.writer(stream).writerow([stamp, *T[:3, 3], w, x, y, z, 0.0, 0.0, 0.0])


MAKERS = {
    "scannet": (scannet, [k for k in range(COUNT) if k != 3]),
    "7scenes": (seven_scenes, list(range(COUNT))),
    "cambridge": (cambridge, [*range(0, COUNT, 2), *range(1, COUNT, 2)]),
    "dl3dv": (dl3dv, list(range(COUNT))),
    "navi": (navi, list(range(COUNT))),
    "tum": (tum, list(range(COUNT - 1))),
    "kitti": (kitti, list(range(COUNT))),
    "euroc": (euroc, list(range(1, COUNT))),
}
"""By layout: what makes a folder, and which of the poses its photos must have, in order."""
