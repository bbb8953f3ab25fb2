"""The tests here compare with the reference implementation; without it they are skipped."""

import pytest

from .dust3r_reference import ENVIRONMENT_VARIABLE, reference_folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if reference_folder() is None:
        for item in items:
            if item.path.parent.name == "parity":
                item.add_marker(pytest.mark.skip(reason=f"run tools/parity.sh, which sets {ENVIRONMENT_VARIABLE}"))
