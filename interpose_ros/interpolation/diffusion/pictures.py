"""Images in the form that diffusers takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt8


def as_pil(image: UInt8[np.ndarray, "h w 3"]) -> Any:
    """PIL image of an RGB array."""
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(image))
