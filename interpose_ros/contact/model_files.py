"""Where files of body models lie, and whether they are there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FORMAT_VERSION = 1
BODY_MODEL_DIRECTORY_VARIABLE = "INTERPOSE_ROS_BODY_MODELS"


class BodyModelMissing(FileNotFoundError):
    """The compact file of a body model is not there; the text says how it is made."""


def body_model_directory() -> Path:
    """Folder of compact body models.

    That named by $INTERPOSE_ROS_BODY_MODELS; else within the virtual environment that runs this; else the user's cache.
    """
    named = os.environ.get(BODY_MODEL_DIRECTORY_VARIABLE)
    if named:
        return Path(named)
    if sys.prefix != sys.base_prefix:
        return Path(sys.prefix) / "share" / "interpose_ros" / "body_models"
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "interpose_ros" / "body_models"


def anny_path() -> Path:
    """Where Anny's compact file belongs."""
    return body_model_directory() / f"anny-v{FORMAT_VERSION}.safetensors"


def check_anny(path: Path) -> None:
    """Look for Anny's compact file.

    Raises:
        BodyModelMissing: it has not been made yet.
    """
    if not path.is_file():
        raise BodyModelMissing(
            f"the Anny body model has not been prepared: {path} is missing. `interpose body-model` makes it (about a "
            "minute, once, without network); `make env` does so too"
        )


def check_body_models(smplx_file: str) -> None:
    """Look for the files of all body models that are configured, without reading them.

    Args:
        smplx_file: of the user's own; empty for none.

    Raises:
        BodyModelMissing: one is not there; the message says which, and how it is made.
    """
    check_anny(anny_path())
    if smplx_file and not Path(smplx_file).is_file():
        raise BodyModelMissing(
            f"the SMPL-X model {smplx_file} is missing: contact.smplx_file names the user's own .npz"
        )
