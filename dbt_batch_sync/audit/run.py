"""Audits syncs: one export per output, compared with what each sync should hold."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, repeat
from pathlib import Path

from dbt_batch_sync.audit import AuditObserver, AuditOptions, Wait
from dbt_batch_sync.audit.believed import Reader, kept
from dbt_batch_sync.audit.comparison import Believed, Comparison, Found, room
from dbt_batch_sync.batch_api.exports import Exports
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import BatchSyncError, ConfigurationError, DeliveryError, Stopped
from dbt_batch_sync.kinds.attributes import AttributeType, TypedAttribute, parse_types
from dbt_batch_sync.ledger.audits import Asked, Audited, Begun, append_audited, append_begun, begun_by
from dbt_batch_sync.ledger.journal import ROWS_AT_ONCE
from dbt_batch_sync.ledger.state import process_exists, this_host
from dbt_batch_sync.push.channels import Channels
from dbt_batch_sync.push.guards import stops
from dbt_batch_sync.push.known import Known
from dbt_batch_sync.push.masking import mask
from dbt_batch_sync.push.overview import sizes
from dbt_batch_sync.results.look import Difference, DriftSample, SyncAudited
from dbt_batch_sync.warehouse import Warehouse

PROFILES = "profiles"
"""The kind whose values can be read back."""

WAITS = (1.0, 2.0, 3.0, 5.0, 10.0, 15.0)
"""Seconds between polls of an export; the last one repeats."""

SAMPLES = 10

MAX_UNKNOWN = 10_000
"""The most profiles outside the sync that are recorded; a Batch project may have millions."""


@dataclass(frozen=True)
class Audit:
    warehouse: Warehouse
    channels: Channels
    outputs: Mapping[str, Output]
    options: AuditOptions
    wait: Wait
    observer: AuditObserver

    def run(self, known: Sequence[Known]) -> Iterator[SyncAudited]:
        """Audits the syncs by output. An error of one sync is in its result."""
        export = self.options.export
        known = [each for each in known if export is None or begun_by(each.journal, export, each.sync.name)]
        if not known:
            raise ConfigurationError(
                f"--export: none of the selected syncs began the export `{export}`. The message "
                "of the audit that began it has the whole command"
            )
        groups: dict[str, list[Known]] = {}
        for each in known:
            if each.sync.kind.name != PROFILES:
                try:
                    yield self._of_kind(each)
                except BatchSyncError as error:
                    yield _failed(each, str(error))
                continue
            output = self.outputs[each.sync.name]
            wrong = list(stops(each.sync, each.state, output))
            if wrong:
                yield _failed(each, f"nothing was compared: {'; '.join(wrong)}")
            else:
                groups.setdefault(output.name, []).append(each)
        by_name = {output.name: output for output in self.outputs.values()}
        for name, group in groups.items():
            try:
                yield from self._of_output(group, by_name[name])
            except BatchSyncError as error:
                yield from (_failed(each, str(error)) for each in group)

    def _of_kind(self, known: Known) -> SyncAudited:
        """For kinds that can't be exported, at most the size is known."""
        name, kind, began = known.sync.name, known.sync.kind.name, known.journal.stamp()
        (size,) = sizes(
            self.warehouse, [known], lambda sync: self.channels.talk(self.outputs[sync.name], sync.kind)
        )
        if not size or self.options.adopts:
            return SyncAudited(name, kind, skipped=f"Batch exports no {known.sync.kind.noun}s")
        expected, found = size["expected"], size.get("in_batch")
        if found is None:
            return SyncAudited(name, kind, compared=expected, error=size["note"])
        drifted, audit_id = abs(found - expected), str(uuid.uuid4())
        ended = Audited(name, audit_id, began, known.journal.stamp(), expected, drifted)
        append_audited(known.journal, ended, None)
        return SyncAudited(name, kind, audit_id, compared=expected, in_batch=found, drifted=drifted)

    def _of_output(self, group: Sequence[Known], output: Output) -> Iterator[SyncAudited]:
        client, told = self.channels.client(output), self.observer.told
        exports = Exports(client, self.wait.seconds, told, output.max_attempts)
        names = {attribute.plain_name for each in group for attribute in _attributes(each)}
        if not names:
            raise Stopped("there is nothing to compare: the syncs have no attribute")
        begun = self._begin(group, exports, sorted(names))
        with temporary_directory() as directory:
            comparison = Comparison(directory, sorted(names))
            try:
                export_id = begun[0].export_id
                self._load(exports, export_id, comparison, directory)
                for each, one in zip(group, begun, strict=True):
                    self.observer.state(f"comparing {each.sync.name}")
                    try:
                        yield self._of_sync(each, one, comparison)
                    except BatchSyncError as error:
                        yield replace(_failed(each, str(error)), audit_id=one.audit_id, export=export_id)
            finally:
                comparison.close()

    def _begin(self, group: Sequence[Known], exports: Exports, names: Sequence[str]) -> list[Begun]:
        """The export for each sync, the same for all. An earlier one, if it was requested."""
        if self.options.export is not None:
            found = (begun_by(each.journal, self.options.export, each.sync.name) for each in group)
            begun = [each for each in found if each is not None]
            missing = [name for name in names if any(name not in one.names for one in begun)]
            if missing:
                raise Stopped(
                    f"the export has no {', '.join(missing)}: the mapping has changed since it was begun. "
                    "Run the audit without --export"
                )
            self.observer.exporting(self.options.export)
            return begun
        # Before the request: rows sent from now on may or may not be in the export.
        moments = [each.journal.stamp() for each in group]
        self.observer.state("asking Batch for an export")
        export_id = exports.start(names)
        self.observer.exporting(export_id)
        begun = [
            Begun(each.sync.name, str(uuid.uuid4()), export_id, moment, tuple(names))
            for each, moment in zip(group, moments, strict=True)
        ]
        for each, one in zip(group, begun, strict=True):
            append_begun(each.journal, one)
        return begun

    def _load(self, exports: Exports, export_id: str, into: Comparison, directory: Path) -> None:
        """Waits for an export and loads its files one by one."""
        began, waits = self.wait.now(), chain(WAITS, repeat(WAITS[-1]))
        while (view := exports.view(export_id)).state != "SUCCESS":
            if view.state == "ERROR":
                raise DeliveryError(
                    f"Batch could not make the export {export_id} (ERROR). Run the audit again"
                )
            self.observer.state(f"{export_id}: {view.state.lower()}, {self.wait.now() - began:.0f} s")
            self.wait.seconds(next(waits))
        for number, url in enumerate(view.files, 1):
            self.observer.state(f"{export_id}: file {number} of {len(view.files)}")
            path = directory / "downloaded.jsonl"
            exports.download(url, path)
            into.add_exported(path)
            path.unlink()
        into.check()

    def _of_sync(self, known: Known, begun: Begun, comparison: Comparison) -> SyncAudited:
        attributes = _attributes(known)
        state = known.journal.state(known.sync.name)
        if (
            state.built is None
            or known.state.built is None
            or state.built.mapping_hash != known.sync.mapping.hash
        ):
            raise Stopped("dbt has built another delta meanwhile. Run the audit again")
        known = replace(known, state=state)
        with comparison.of_sync(attributes) as believed:
            Reader(self.warehouse, known, attributes, begun.began, self.options.adopts).read(believed)
            believed.compare(kept(known, attributes), known.sync.mapping.membership)
            return self._recorded(known, begun, believed, _counted(known, begun, believed, attributes))

    def _recorded(self, known: Known, begun: Begun, believed: Believed, result: SyncAudited) -> SyncAudited:
        journal = known.journal
        for rows in believed.drift(ROWS_AT_ONCE, MAX_UNKNOWN):
            journal.append_drift(known.sync.name, begun.audit_id, rows)
        request: Asked | None = "adopted" if self.options.adopts else "drift" if self.options.repair else None
        ended = Audited(
            known.sync.name,
            begun.audit_id,
            begun.began,
            journal.stamp(),
            result.compared,
            result.drifted,
            result.unknown_profiles,
        )
        repairs = request is not None and believed.is_repairable(request == "adopted")
        append_audited(journal, ended, request if repairs else None)
        return replace(result, repairs=repairs)


def _attributes(known: Known) -> tuple[TypedAttribute, ...]:
    built = known.state.built
    return parse_types(built.attribute_types, known.sync.kind.rules) if built else ()


def _counted(
    known: Known, begun: Begun, believed: Believed, attributes: Sequence[TypedAttribute]
) -> SyncAudited:
    differences, expected, unknown = list[Difference](), Counter[str](), 0
    for attribute, difference, reason, count in believed.counts():
        if reason is not None:
            expected[reason] += count
        elif difference == "unknown_profile":
            unknown += count
        else:
            differences.append(Difference(attribute, difference, count))
    types = {each.name: each.type for each in attributes}
    built = known.state.built
    return SyncAudited(
        known.sync.name,
        known.sync.kind.name,
        audit_id=begun.audit_id,
        export=begun.export_id,
        delta_id=built.delta_id if built and built.page is not None else None,
        mapping=known.sync.mapping.hash,
        began_at=begun.began,
        compared=believed.rows,
        drifted=believed.drifted(),
        unknown_profiles=unknown,
        differences=tuple(differences),
        expected=dict(expected),
        samples=tuple(_sample(each, types) for each in believed.samples(SAMPLES)),
    )


def _sample(found: Found, types: dict[str, AttributeType]) -> DriftSample:
    name = found.attribute or ""
    kind = types.get(name)
    return DriftSample(
        mask(found.key),
        found.attribute,
        found.difference,
        _masked(found.ours, kind, name),
        _masked(found.theirs, kind, name),
    )


def _masked(text: str | None, kind: AttributeType | None, name: str) -> str:
    try:
        cell = json.loads(text) if text is not None else None
    except ValueError:
        cell = text
    if kind is AttributeType.DATE and isinstance(cell, str):
        try:
            return mask(date.fromisoformat(cell[:10]))
        except ValueError:
            pass
    return mask(cell, name)


def _failed(known: Known, error: str) -> SyncAudited:
    return SyncAudited(known.sync.name, known.sync.kind.name, error=error)


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A private directory, removed in any case: the next audit removes what a killed one left. Raises
    DeliveryError if there is no room for it.
    """
    host = hashlib.sha256(this_host().encode()).hexdigest()[:8]
    prefix = f"dbt-batch-sync-audit-{host}-"
    with room():
        for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            process = left.name.removeprefix(prefix).partition("-")[0]
            if process.isdigit() and not process_exists(int(process)):
                shutil.rmtree(left, ignore_errors=True)
        own = f"{prefix}{os.getpid()}-"
        directory = tempfile.TemporaryDirectory(prefix=own, ignore_cleanup_errors=True)
    with directory as name:
        yield Path(name)
