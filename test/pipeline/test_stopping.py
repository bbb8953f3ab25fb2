"""How the command line ends when somebody stops it."""

import signal
import subprocess
import sys

from interpose_ros import cli, estimate_command
from interpose_ros.exit_status import EXIT_INTERRUPTED


def test_sigterm_ends_a_command_silently():
    program = "import os, signal, interpose_ros.matching.structure; os.kill(os.getpid(), signal.SIGTERM)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGTERM, "")


def test_an_interrupt_is_a_sentence(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    def register(commands):
        commands.add_parser("estimate").set_defaults(run=interrupted)

    monkeypatch.setattr(estimate_command, "register", register)
    assert cli.main(["estimate"]) == EXIT_INTERRUPTED
    assert capsys.readouterr().err.startswith("interpose: interrupted; ")
