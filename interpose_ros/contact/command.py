"""The commands ``interpose body-model`` and ``interpose refine``."""

from __future__ import annotations

import argparse
from typing import Any

from interpose_ros.contact.anny_file import anny_path, make_anny


def register(commands: Any) -> None:
    """Add the commands to the sub-parsers of the command line."""
    prepare = commands.add_parser("body-model", help="prepare the Anny body model for contact refinement, once")
    prepare.add_argument("--again", action="store_true", help="make its file anew even where there is one")
    prepare.set_defaults(run=_prepare)


def _prepare(options: argparse.Namespace) -> int:
    path = anny_path()
    if path.is_file() and not options.again:
        print(f"body model: {path} is there; remove the file to be rid of it")
        return 0
    try:
        make_anny(path, lambda text: print(f"body model: {text}", flush=True))
    except ImportError as error:
        raise ValueError(f"the `anny` package is missing ({error}): pip install 'interpose-ros[contact]'") from error
    print(f"body model: {path} is ready ({path.stat().st_size / 1e6:.0f} MB); remove the file to be rid of it")
    return 0
