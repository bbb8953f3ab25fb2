"""What keeps a video model from being used, in words."""

from __future__ import annotations


class VideoCheckpointError(ValueError):
    """The files of a video model are missing, cut off, of another model, or cannot do what is needed."""


class VideoMemoryError(ValueError):
    """A video model does not fit; the message says what would."""


class GenerationCancelled(Exception):
    """Somebody asked to stop between two denoising steps."""


class GenerationFailed(RuntimeError):
    """A clip could not be made, though the model is loaded; another clip may work."""
