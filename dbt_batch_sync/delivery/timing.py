"""Time and chance, injected so that tests neither sleep nor depend on chance."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Final


@dataclass(frozen=True)
class Timing:
    """A sender's monotonic clock, chance from 0 up to 1, and waiting: at most so many seconds, less if the
    event is set. Returns whether it is.
    """

    now: Callable[[], float]
    wait: Callable[[Event, float], bool]
    chance: Callable[[], float]


SYSTEM_TIMING: Final = Timing(time.monotonic, Event.wait, random.random)
