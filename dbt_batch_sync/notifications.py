"""Calls the outputs' hooks after a push.

Everything is recorded by then. If a hook fails, the logger `dbt_batch_sync` warns; by default, Python writes
that to standard error.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from dbt_batch_sync.connections.outputs import Hook, Output
from dbt_batch_sync.results.sync import PushResult

HOOK_SECONDS = 10.0
"""Seconds for one hook."""

SHOWN_SYNCS = 20
"""The most lines of a text message."""

_log = logging.getLogger("dbt_batch_sync")


def call_hooks(result: PushResult, outputs: Mapping[str, Output]) -> None:
    """Calls the hooks of every output of the push's syncs (`outputs`, by sync), in turn, each with its own
    syncs. Never raises.
    """
    for name, output in {output.name: output for output in outputs.values()}.items():
        own = tuple(each for each in result.syncs if outputs[each.sync].name == name)
        if not own:
            continue
        told = replace(result, syncs=own)
        key = {"succeeded": "on_success", "partial": "on_partial"}.get(told.status, "on_failure")
        hooks: Iterable[Hook] = getattr(output, key)
        for hook in hooks:
            wrong = _call(hook, told, name)
            if wrong is not None:
                _log.warning("Warning: %s of output `%s`, %s: %s", key, name, hook.shown, wrong)


def _call(hook: Hook, result: PushResult, output: str) -> str | None:
    """The error, or None."""
    document: dict[str, object] = result.to_json()
    if hook.format == "slack":
        document = {"text": slack_text(result, output)}
    body = json.dumps(document).encode()
    if hook.command:
        return _run(hook.command, body)
    from dbt_batch_sync.batch_api.transport import post  # a push without syncs never gets here without it

    return post(hook.url, body, HOOK_SECONDS)


def _run(command: tuple[str, ...], body: bytes) -> str | None:
    try:
        # Standard output is for the result, so the command's output goes to standard error.
        process = subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
            command, stdin=subprocess.PIPE, stdout=2, start_new_session=True
        )
    except (OSError, ValueError) as error:
        return f"it could not be started ({type(error).__name__})"
    with process:
        try:
            process.communicate(body, HOOK_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(OSError):  # it has just ended
                os.killpg(process.pid, signal.SIGKILL)
            return f"it was killed after {HOOK_SECONDS:g} s"
    return f"it ended with {process.returncode}" if process.returncode else None


def slack_text(result: PushResult, output: str) -> str:
    """A message in Slack's mrkdwn: the status, then a line for each sync, starting with those that need
    attention.

    Source of the escapes: Slack's documentation, "Formatting text for app surfaces".
    """
    order = ("failed", "interrupted", "partial")
    syncs = sorted(result.syncs, key=lambda each: [each.status != status for status in order])
    lines = [f"*dbt-batch-sync: push to {output} {result.status}* (run {result.run_id})"]
    lines += [f"• {each.summary}" for each in syncs[:SHOWN_SYNCS]]
    if len(syncs) > SHOWN_SYNCS:
        lines.append(f"and {len(syncs) - SHOWN_SYNCS} more syncs")
    return "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
