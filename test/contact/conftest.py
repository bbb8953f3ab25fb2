"""The Anny body model, loaded once; `make env` (or `interpose body-model`) has prepared its file."""

import pytest
import torch

from interpose_ros.contact.anny_body import AnnyBody


@pytest.fixture(scope="session")
def anny():
    """The model in full."""
    torch.set_num_threads(1)
    return AnnyBody.load()
