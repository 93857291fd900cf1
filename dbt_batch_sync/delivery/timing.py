"""Time and chance, passed in so that tests neither sleep nor roll dice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Final


@dataclass(frozen=True)
class Timing:
    """What a sender knows of the world.

    Attributes:
        now: Seconds on a clock that never goes back.
        wait: Sleeps at most so many seconds, less if the event is set; returns whether it is.
        chance: A number from 0 up to, but not including, 1.
    """

    now: Callable[[], float]
    wait: Callable[[Event, float], bool]
    chance: Callable[[], float]


SYSTEM_TIMING: Final = Timing(time.monotonic, Event.wait, random.random)
