"""Puts the parts together: what the command line and orchestrators call.

    from dbt_batch_sync.api import DbtOptions, push
    result = push(DbtOptions(project_dir=Path("."), environ=os.environ))

Nothing is printed here, nothing is asked, and no signal is handled: set `stop` to end a push early. `sync`
has what moves data, `look` what only reads, `project` what all begin with.
"""

from __future__ import annotations

from dbt_batch_sync.api.look import audit, lineage, plan, profile, rejects, report, status, validate
from dbt_batch_sync.api.project import Selection, load_manifest, load_syncs
from dbt_batch_sync.api.sync import adopt, push, resend
from dbt_batch_sync.audit import AuditObserver, AuditOptions
from dbt_batch_sync.connections.profiles import DbtOptions
from dbt_batch_sync.mapping.syncs import sync_notes
from dbt_batch_sync.push.plan import read_plan
from dbt_batch_sync.push.session import PushOptions
from dbt_batch_sync.push.sync_push import Observer

__all__ = [
    "AuditObserver",
    "AuditOptions",
    "DbtOptions",
    "Observer",
    "PushOptions",
    "Selection",
    "adopt",
    "audit",
    "lineage",
    "load_manifest",
    "load_syncs",
    "plan",
    "profile",
    "push",
    "read_plan",
    "rejects",
    "report",
    "resend",
    "status",
    "sync_notes",
    "validate",
]
