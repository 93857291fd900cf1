"""What the verbs that read dbt's files answer: validate, lineage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbt_batch_sync.errors import Problem
from dbt_batch_sync.results import Result

if TYPE_CHECKING:
    from dbt_batch_sync.artifacts.compiled import Origin


@dataclass(frozen=True)
class ValidateResult(Result):
    """Every sync that is fine, or, if not `valid`, what is wrong. The columns of `unchecked` ones are not
    known: dbt has not compiled their models, or the SQL does not tell. `steps` are what the next push creates
    or changes in Batch before it sends rows.
    """

    valid: bool
    syncs: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    online: bool = False
    steps: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class AttributeLineage:
    """The columns outside dbt's models from which an attribute is computed. `column` is the sync's; None for
    a membership. Without origins, it is a constant or a row count.
    """

    attribute: str
    column: str | None
    origins: tuple[Origin, ...]


@dataclass(frozen=True)
class SyncLineage:
    """The key and the attributes of a sync."""

    sync: str
    attributes: tuple[AttributeLineage, ...]
    kind: str = "profiles"


@dataclass(frozen=True)
class LineageResult(Result):
    """The lineages of the selected syncs. `not_compiled` names upstream models whose SQL is unknown."""

    syncs: tuple[SyncLineage, ...]
    not_compiled: tuple[str, ...]
