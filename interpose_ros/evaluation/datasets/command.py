"""The command ``interpose convert``: pair files from a public data set on the user's disk."""

from __future__ import annotations

import argparse
from pathlib import Path

PAIRS_PER_BIN = 300


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    from interpose_ros.evaluation.datasets.layouts import LAYOUTS

    convert = commands.add_parser(
        "convert",
        help="pair files from a public data set on your disk",
        description="Draw pairs of a data set by yaw, and by overlap where it has depth, and write a pair file "
        "per bin. " + " ".join(f"{name}: {layout.looked_for}." for name, layout in LAYOUTS.items()),
    )
    convert.add_argument("layout", choices=tuple(LAYOUTS), metavar="LAYOUT", help=", ".join(LAYOUTS))
    convert.add_argument("folder", type=Path, metavar="FOLDER", help="the data set, or one scene of it")
    convert.add_argument("out", type=Path, metavar="DIR", help="for LAYOUT-BIN.json")
    convert.add_argument(
        "--yaw", type=_limits, nargs="+", metavar="FROM-TO", help="degrees (default: the papers' for that data set)"
    )
    convert.add_argument(
        "--overlap", type=_limits, nargs="+", metavar="FROM-TO", help="shares, such as 0-0.1 0.1-0.3; needs depth"
    )
    convert.add_argument(
        "--per-bin", type=int, default=PAIRS_PER_BIN, metavar="N", help="(default: 300, as the papers)"
    )
    convert.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    convert.add_argument(
        "--size", type=_size, metavar="WxH", help="resize and crop about the centre, such as PoseCrafter's 512x320"
    )
    convert.add_argument(
        "--frames", type=int, default=0, metavar="N", help="real frames in between per pair, of videos (default: 0)"
    )
    convert.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from interpose_ros.evaluation.datasets.draw import Bin, draw_pairs
    from interpose_ros.evaluation.datasets.layouts import LAYOUTS
    from interpose_ros.evaluation.datasets.photos import DatasetError
    from interpose_ros.evaluation.datasets.write_pairs import PairFileSettings, write_pair_file

    layout = LAYOUTS[options.layout]
    print(f"reading {layout.title} in {options.folder}")
    with tqdm(desc="scenes", unit="scene", leave=False) as bar:
        scenes = layout.scenes(options.folder, bar.update)
    photos = sum(len(scene.photos) for scene in scenes)
    print(f"{len(scenes)} scenes, {photos} images with poses")
    if options.overlap and not any(photo.depth for scene in scenes for photo in scene.photos):
        raise DatasetError(f"{options.folder} has no depth, so nothing tells the overlap: leave out --overlap")
    settings = PairFileSettings(options.layout, layout.unit, options.size, options.frames, options.seed)
    bins = [Bin(yaw, overlap) for yaw in options.yaw or layout.yaw_bins for overlap in options.overlap or (None,)]
    written = 0
    for wanted in bins:
        with tqdm(total=options.per_bin, desc=wanted.name, unit="pair", leave=False) as bar:
            pairs = draw_pairs(scenes, wanted, options.per_bin, options.seed, bar.update)
        path = options.out / f"{options.layout}-{wanted.name}.json"
        if not pairs:
            print(f"{wanted.name}: no pair")
            continue
        with tqdm(total=len(pairs), desc=f"writing {path.name}", unit="pair", leave=False) as bar:
            write_pair_file(path, pairs, wanted, settings, bar.update)
        written += 1
        print(f"{path}: {len(pairs)} pairs of {len({pair.scene.name for pair in pairs})} scenes")
    if not written:
        raise DatasetError(f"{options.folder} has no pair in any bin: choose wider ones with --yaw and --overlap")
    return 0


def _limits(text: str) -> tuple[float, float]:
    low, sign, high = text.partition("-")
    try:
        limits = float(low), float(high)
    except ValueError:
        limits = (0.0, 0.0)
    if not sign or not limits[0] < limits[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is not FROM-TO, such as 50-65")
    return limits


def _size(text: str) -> tuple[int, int]:
    width, sign, height = text.partition("x")
    if not (sign and width.isdigit() and height.isdigit() and int(width) >= 32 and int(height) >= 32):
        raise argparse.ArgumentTypeError(f"{text!r} is not WxH of at least 32 pixels, such as 512x320")
    return int(width), int(height)
