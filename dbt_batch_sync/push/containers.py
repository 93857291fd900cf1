"""Prepares the audience or the catalog of a sync before a push, and polls it afterwards."""

from __future__ import annotations

from collections.abc import Iterable

from dbt_batch_sync.batch_api.answers import Fatal
from dbt_batch_sync.batch_api.messages import describe
from dbt_batch_sync.delivery.talking import Talk
from dbt_batch_sync.errors import DeliveryError, Stopped
from dbt_batch_sync.kinds.attributes import parse_types
from dbt_batch_sync.kinds.kind import Step
from dbt_batch_sync.ledger.state import SyncState
from dbt_batch_sync.mapping.syncs import Sync

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
_LONGEST_WAIT = 3_600.0


def compare(talk: Talk, sync: Sync, state: SyncState) -> Step | None:
    """Compares Batch with the mapping and the types of the last built delta."""
    container = sync.kind.container
    if container is None or state.built is None:
        return None
    attributes = parse_types(state.built.attribute_types, sync.kind.rules)
    return container.compare(talk, sync.mapping, attributes, begun=state.project_hash is not None)


def check_adopted(talk: Talk, sync: Sync, state: SyncState) -> None:
    """Raises Stopped if Batch lacks the audience, the catalog or its fields: it can't have the rows."""
    try:
        step = compare(talk, sync, state)
        missing = f"a push would {step.does} first" if step else None
    except Stopped as stopped:
        missing = str(stopped)
    if missing:
        raise Stopped(
            f"nothing was adopted: Batch can't have the {sync.kind.noun}s yet: {missing}. To send them, run: "
            f"dbt-batch-sync push --select {sync.name}"
        )


def prepare(talk: Talk, sync: Sync, state: SyncState) -> None:
    """Creates the object that rows are written to, or adapts it to the mapping.

    Batch doesn't document its answer to a step that was done before, by a request whose answer was lost or by
    somebody else. So after a rejected step, it is compared again.

    Raises:
        Stopped: you must do something first.
        DeliveryError: Batch rejects a step, or can't be reached.
    """
    for is_last in (False, True):
        try:
            step = compare(talk, sync, state)
        except Stopped as stopped:
            raise Stopped(f"nothing was sent: {stopped}") from None
        refused = talk.post(step.path, step.document) if step else None
        if step is None or refused is None:
            return
        if isinstance(refused, Fatal) and refused.status in (401, 403):
            raise DeliveryError(f"{describe(refused)}.")
        if is_last:
            raise DeliveryError(f"can't {step.does}: Batch rejected it: {describe(refused)}.")


def wait(talk: Talk, sync: Sync, tokens: Iterable[str]) -> None:
    """Polls until Batch has applied the changes with these tokens.

    Raises:
        Stopped: it never will, or did not within an hour.
    """
    container = sync.kind.container
    if container is None:
        return
    waited, pause = 0.0, _FIRST_PAUSE
    for token in tokens:
        while not container.is_applied(talk, sync.mapping, token):
            if waited >= _LONGEST_WAIT:
                raise Stopped(
                    f"Batch accepted the {sync.kind.noun}s and has not applied them within an hour. "
                    f"Check later: dbt-batch-sync status --select {sync.name}"
                )
            talk.pause(pause)
            waited, pause = waited + pause, min(pause * 1.5, _LONGEST_PAUSE)
