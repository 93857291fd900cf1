"""Connections for as many threads as call at once, and patience with what passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from dbt_batch_sync.errors import Conflict, WarehouseError

ATTEMPTS = 8
"""How often a statement is tried that something passing was in the way of."""

WAITS = wait_random_exponential(0.2, max=16)
"""Before each further attempt: half a minute at most, all together."""

_T = TypeVar("_T")


class ConnectionLost(Conflict):
    """The connection is gone; whether the server did what it was last asked for is unknown."""


def patiently(call: Callable[[], _T]) -> _T:
    """Calls it until it ends without a Conflict, `ATTEMPTS` times at most. Raises what it raises."""
    retrying = Retrying(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(ATTEMPTS),
        wait=WAITS,
        reraise=True,
    )
    return retrying(call)


class Sessions:
    """A connection for each call that goes on at the same time; opened when needed, and again when lost.

    `connect` opens one, and raises WarehouseError; `disconnect` closes one, and raises nothing.
    """

    def __init__(self, connect: Callable[[], Any], disconnect: Callable[[Any], None]) -> None:
        self._connect = connect
        self._disconnect = disconnect
        self._free: list[Any] = []
        self._was_connected = False

    def run(self, act: Callable[[Any], _T]) -> _T:
        """What `act` makes of a connection. It is called again where it raises a Conflict."""
        return patiently(lambda: self._once(act))

    def close(self) -> None:
        """Closes the connections that nobody uses."""
        while self._free:
            self._disconnect(self._free.pop())

    def _once(self, act: Callable[[Any], _T]) -> _T:
        try:
            session = self._free.pop()
        except IndexError:
            session = self._connected()
        try:
            result = act(session)
        except WarehouseError as error:
            if isinstance(error, ConnectionLost):
                self._disconnect(session)
                # The others have most likely gone with it.
                self.close()
            else:
                self._free.append(session)
            raise
        except BaseException:
            # Interrupted in the middle of a statement.
            self._disconnect(session)
            raise
        self._free.append(session)
        return result

    def _connected(self) -> Any:
        try:
            session = self._connect()
        except WarehouseError as error:
            if self._was_connected:
                raise Conflict(str(error)) from None
            raise
        self._was_connected = True
        return session
