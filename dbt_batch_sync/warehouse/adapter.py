"""Opens a dbt adapter from a rendered profile, without dbt's command line: 0.7 s instead of 2.5 s.

The plugin is loaded by its type, and its configuration is the handful of attributes that adapters read; the
same on dbt 1.9 to 1.12.
"""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dbt_batch_sync.errors import ConfigurationError, ProfileError, UnsupportedWarehouse, WarehouseError

_HEADING = "Database Error"
"""What dbt puts above a driver's message."""


@dataclass
class AdapterConfiguration:
    """What an adapter reads of dbt-core's configuration object."""

    credentials: Any
    profile_name: str
    target_name: str
    threads: int
    query_comment: Any
    project_name: str = "dbt_batch_sync"
    cli_vars: dict[str, object] = field(default_factory=dict)
    target_path: str = "target"
    log_cache_events: bool = False
    project_root: str = "."
    dependencies: object = None
    vars: object = None
    behavior_flags: object = None
    sources: object = None
    quoting: dict[str, bool] = field(default_factory=dict)
    flags: dict[str, object] = field(default_factory=dict)
    args: object = None
    packages_install_path: str = "dbt_packages"

    def to_target_dict(self) -> dict[str, object]:
        """dbt's `target`, which some adapters ask for."""
        target = dict(self.credentials.connection_info(with_aliases=True))
        names = {"name": self.target_name, "target_name": self.target_name, "profile_name": self.profile_name}
        return {**target, "type": self.credentials.type, "threads": self.threads, **names}


def load_adapter(
    type_name: str, profile_name: str, target_name: str, credentials: Mapping[str, object]
) -> Any:
    """The adapter of a target, not yet connected.

    Raises UnsupportedWarehouse when its package is not installed, ProfileError when it refuses the
    credentials.
    """
    try:
        with _quietly():
            from dbt.adapters.contracts.connection import QueryComment
            from dbt.adapters.factory import FACTORY, load_plugin

            kind = load_plugin(type_name)
    except ImportError:
        raise _not_installed(type_name) from None
    except Exception as error:
        raise _not_installed(type_name) from error
    try:
        data = kind.translate_aliases(dict(credentials))
        kind.validate(data)
        parsed = kind.from_dict(data)
    except Exception as error:  # noqa: BLE001 - adapters raise what they like
        raise ProfileError(
            f"profile `{profile_name}`, target `{target_name}`: the {type_name} adapter refuses it "
            f"({type(error).__name__}). "
            "`dbt debug` shows what is wrong."
        ) from None
    configuration = AdapterConfiguration(parsed, profile_name, target_name, 1, QueryComment())
    kind_of_adapter: Any = FACTORY.get_adapter_class_by_name(type_name)
    return kind_of_adapter(configuration, multiprocessing.get_context("spawn"))


@contextmanager
def _quietly() -> Iterator[None]:
    """dbt, once imported, writes adapters' messages to standard output, which is the result's, unless it is
    told otherwise; and what an adapter's libraries deprecate is nothing that a user of ours could change.
    """
    told_otherwise = "dbt_common.events" in sys.modules
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
    if not told_otherwise:
        from dbt_common.events.event_manager_client import cleanup_event_logger

        cleanup_event_logger()


def connect(adapter: Any) -> Any:
    """The adapter's own connection handle, open. Raises WarehouseError."""
    try:
        adapter.acquire_connection("dbt_batch_sync")
        return adapter.connections.get_thread_connection().handle
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - adapters raise what they like
        raise WarehouseError(f"can't connect to the warehouse: {first_line(error)}") from None


def connect_anew(adapter: Any) -> Any:
    """The handle of another connection, opened as the adapter opens its own. Raises WarehouseError."""
    from dbt.adapters.contracts.connection import Connection, ConnectionState

    credentials = adapter.config.credentials
    connection = Connection(
        type=credentials.type,
        name="dbt_batch_sync",
        state=ConnectionState.INIT,
        credentials=credentials,
        transaction_open=False,
        handle=None,
    )
    try:
        return adapter.connections.open(connection).handle
    except Exception as error:  # noqa: BLE001 - adapters raise what they like
        raise WarehouseError(f"can't connect to the warehouse: {first_line(error)}") from None


def first_line(error: BaseException) -> str:
    """A driver's message without the statement and the rows that some append."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() not in ("", _HEADING)]
    return lines[0][:300] if lines else type(error).__name__


def _not_installed(type_name: str) -> UnsupportedWarehouse:
    return UnsupportedWarehouse(
        f"the dbt adapter `{type_name}` is not installed here: pip install 'dbt-batch-sync[{type_name}]', "
        f"or the dbt-{type_name} "
        "that your project uses"
    )
