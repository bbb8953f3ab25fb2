"""What a machine lacks is named, with the command that installs it."""

import shutil
import subprocess

import pytest

from .locations import PYTHON, REPOSITORY

NEEDED = ["sh", "uname", "c++", "make", "env"]


@pytest.fixture
def machine(tmp_path):
    """A folder that is the whole PATH, with the tools of a complete machine; tests take some away."""
    for tool in NEEDED:
        (tmp_path / tool).symlink_to(shutil.which(tool))
    return tmp_path


def put_script(path, text):
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def check(machine, python=PYTHON):
    return subprocess.run(
        [REPOSITORY / "tools/check-system", python],
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_complete_machine_gets_no_word(machine):
    result = check(machine)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_missing_tools_come_with_the_command_that_installs_them(machine):
    (machine / "c++").unlink()
    (machine / "make").unlink()
    result = check(machine)
    assert result.returncode == 1
    assert "sudo apt-get install g++ make\n" in result.stderr


def test_missing_parts_of_python_are_named(machine):
    """Debian splits them off: the interpreter alone has neither venv nor headers."""
    put_script(machine / "python", 'case "$2" in *version_info*) exit 0 ;; *) exit 1 ;; esac')
    result = check(machine, python="python")
    assert result.returncode == 1
    assert "sudo apt-get install python3-venv python3-dev\n" in result.stderr


def test_missing_python_is_named(machine):
    result = check(machine, python="python3.99")
    assert result.returncode == 1
    assert "sudo apt-get install python3\n" in result.stderr


def test_other_python_versions_are_refused(machine):
    put_script(machine / "python", 'case "$1" in --version) echo "Python 3.9.2" ;; *) exit 1 ;; esac')
    result = check(machine, python="python")
    assert result.returncode == 1
    assert "Python 3.9.2" in result.stderr
    assert "3.10 to 3.13" in result.stderr


def test_arm64_is_sent_to_colcon(machine):
    put_script(machine / "uname", "echo aarch64")
    result = check(machine)
    assert result.returncode == 1
    assert "colcon" in result.stderr
    assert "aarch64" in result.stderr
