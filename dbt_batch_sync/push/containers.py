"""Prepares the audience or the catalog of a sync before a push, and polls it afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from dbt_batch_sync.batch_api.answers import Fatal, describe
from dbt_batch_sync.errors import DeliveryError, Stopped
from dbt_batch_sync.kinds.attributes import parse_types
from dbt_batch_sync.kinds.kind import Document, Step
from dbt_batch_sync.ledger.state import SyncState
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.channels import Talk

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
_LONGEST_WAIT, _LONGEST_STEP = 3_600.0, 600.0


def compare(talk: Talk, sync: Sync, state: SyncState) -> Step | None:
    """Compares Batch with the mapping and the types of the last built delta: what must be done in Batch
    before rows can be sent. Raises Stopped if it needs a person.
    """
    container = sync.kind.container
    if container is None or state.built is None:
        return None
    found = container.view(talk, sync.mapping)
    if found is None and state.project_hash is not None:
        raise Stopped(
            f"the {_named(sync)} is not in Batch any more: it was removed or renamed. To create it again "
            f"with all {sync.kind.noun}s, run: {_resend(sync)}"
        )
    attributes = parse_types(state.built.attribute_types, sync.kind.rules)
    return container.adapt(sync.mapping, attributes, found)


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
    somebody else, nor to rows before it has applied an accepted step. So after a step, it is compared again
    until nothing is left to do. Raises Stopped: you must do something first. Raises DeliveryError: Batch
    rejects a step, can't be reached, or doesn't apply a step within ten minutes.
    """
    waited, rejected = 0.0, False
    accepted: Step | None = None
    try:
        while step := compare(talk, sync, state):
            if accepted == step:
                if waited >= _LONGEST_STEP:
                    raise DeliveryError(
                        f"Batch accepted to {step.does} and has not done it within ten minutes. "
                        f"Try again later: dbt-batch-sync push --select {sync.name}"
                    )
                talk.pause(_FIRST_PAUSE)
                waited += _FIRST_PAUSE
            elif failure := talk.post(step.path, step.document):
                if isinstance(failure, Fatal) and failure.status in (401, 403):
                    raise DeliveryError(f"{describe(failure)}.")
                if rejected:
                    raise DeliveryError(f"can't {step.does}: Batch rejected it: {describe(failure)}.")
                rejected = True
            else:
                accepted = step
    except Stopped as stopped:
        raise Stopped(f"nothing was sent: {stopped}") from None


def wait(talk: Talk, sync: Sync, tokens: Sequence[str]) -> None:
    """Polls until Batch has applied these changes, last first. Raises Stopped: never, or not in an hour."""
    container = sync.kind.container
    if container is None:
        return
    waited, pause = 0.0, _FIRST_PAUSE
    for token in reversed(tokens):
        while not _is_applied(sync, container.view(talk, sync.mapping, indexing_token=token)):
            if waited >= _LONGEST_WAIT:
                raise Stopped(
                    f"Batch accepted the {sync.kind.noun}s and has not applied them within an hour. "
                    f"Check later: dbt-batch-sync status --select {sync.name}"
                )
            talk.pause(pause)
            waited, pause = waited + pause, min(pause * 1.5, _LONGEST_PAUSE)


def _is_applied(sync: Sync, found: Document | None) -> bool:
    """Whether Batch has applied a change. Raises Stopped if it never will."""
    state = found.get("indexing_state") if found else None
    if found is None or state == "REPLACED":
        how = "was removed" if found is None else "was replaced by someone else"
        raise Stopped(
            f"the {_named(sync)} {how} after its {sync.kind.noun}s were sent, and no longer matches the "
            f"model. Send all {sync.kind.noun}s again: {_resend(sync)}"
        )
    return state == "APPLIED"


def _named(sync: Sync) -> str:
    return f"{sync.kind.name} `{sync.mapping.container}`"


def _resend(sync: Sync) -> str:
    return f"dbt-batch-sync resend --all --select {sync.name}, then dbt run and push"
