"""The command ``interpose``: the steps of the node without ROS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from interpose_ros import __version__, estimate_command
from interpose_ros.contact import command as contact
from interpose_ros.engine.process_settings import keep_freed_blocks
from interpose_ros.evaluation import calibrate_command, evaluate_command
from interpose_ros.evaluation.datasets import command as convert
from interpose_ros.evaluation.images import ImageError
from interpose_ros.evaluation.pair_files import PairFileError
from interpose_ros.evaluation.replay import command as replay
from interpose_ros.evaluation.report import command as report
from interpose_ros.exit_status import EXIT_FAILED, EXIT_INTERRUPTED
from interpose_ros.models import command as models


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 an answer, 1 an error, 2 wrong usage, 3 a refusal."""
    parser = _parser()
    options = parser.parse_args(arguments)
    keep_freed_blocks()
    try:
        return int(options.run(options))
    except (ImageError, PairFileError, FileNotFoundError, ValueError) as error:
        print(f"interpose: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print(
            "interpose: interrupted; evaluate, replay and calibrate go on from here when started again", file=sys.stderr
        )
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="interpose", description=__doc__)
    parser.add_argument("--version", action="version", version=f"interpose_ros {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    estimate_command.register(commands)
    evaluate_command.register(commands)
    replay.register(commands)
    convert.register(commands)
    report.register(commands)
    calibrate_command.register(commands)
    models.register(commands)
    contact.register(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
