"""How much may be spent on one pair of keyframes."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Limits of one estimate; whichever is reached first ends it, with the best so far.

    Attributes:
        clips: most clips that are judged.
        seconds: of computation, from the start of the estimate.
        deadline: point in time on ``time.monotonic()``'s clock, in seconds.
    """

    clips: int | float = math.inf
    seconds: int | float = math.inf
    deadline: float = math.inf

    def __post_init__(self) -> None:
        if not (self.clips >= 0 and self.seconds > 0 and not math.isnan(self.deadline)):
            raise ValueError(f"a budget has clips >= 0, seconds > 0 and a deadline that is a number, not {self}")

    def started(self) -> Budget:
        """The same with ``seconds`` counted from now, as part of the deadline."""
        return Budget(self.clips, math.inf, min(self.deadline, time.monotonic() + self.seconds))

    @property
    def time_is_up(self) -> bool:
        """Whether the deadline has passed; asked of a budget that has been started."""
        return time.monotonic() >= self.deadline
