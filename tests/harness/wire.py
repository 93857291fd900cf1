"""The requests that the sandbox kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dbt_batch_sync.sandbox.server import RecordedRequest


@dataclass(frozen=True)
class Sent:
    """Requests to the profile routes, oldest first, and the operations of those that were accepted."""

    requests: tuple[RecordedRequest, ...]
    calls: tuple[tuple[dict[str, Any], ...], ...]

    @staticmethod
    def of(requests: Sequence[RecordedRequest]) -> Sent:
        """Parse the bodies of accepted requests.

        Fails if a body was not kept: the sandbox then needs a larger `keep_bodies`.
        """
        posted = tuple(each for each in requests if each.method == "POST")
        accepted = [each for each in posted if each.status == 202]
        assert all(each.body is not None for each in accepted), "a body was not kept"
        return Sent(posted, tuple(tuple(json.loads(each.body or b"[]")) for each in accepted))

    @property
    def operations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """custom_id and attributes of each operation, in order of arrival."""
        for call in self.calls:
            for operation in call:
                assert operation.keys() == {"identifiers", "attributes"}
                assert operation["identifiers"].keys() == {"custom_id"}
                yield operation["identifiers"]["custom_id"], operation["attributes"]

    @property
    def attributes(self) -> dict[str, dict[str, Any]]:
        """The sent attributes by custom_id. Fails if an attribute of a profile was sent twice."""
        found: dict[str, dict[str, Any]] = {}
        for custom_id, attributes in self.operations:
            known = found.setdefault(custom_id, {})
            assert not known.keys() & attributes.keys(), "an attribute was sent twice"
            known.update(attributes)
        return found

    @property
    def names(self) -> set[str]:
        """All attribute names that were sent."""
        return {name for _, attributes in self.operations for name in attributes}

    @property
    def paths(self) -> set[str]:
        """The last part of each path: the endpoint."""
        return {each.path.rsplit("/", 1)[-1] for each in self.requests}
