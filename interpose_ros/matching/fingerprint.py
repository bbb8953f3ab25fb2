"""Fingerprints of what makes evidence: content of weights and settings, not version numbers.

A calibration belongs to what it was fitted with. A new release of a package with the same weights changes nothing, and must
not void it; other weights or settings do.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(*parts: str | int | float | Path) -> str:
    """Sixteen hexadecimal digits of the parts in their order; a path stands for the content of the file.

    Raises:
        OSError: a file cannot be read.
    """
    whole = hashlib.blake2b(digest_size=8)
    for part in parts:
        content = hashlib.blake2b(part.read_bytes()).digest() if isinstance(part, Path) else repr(part).encode()
        whole.update(len(content).to_bytes(8, "little") + content)
    return whole.hexdigest()
