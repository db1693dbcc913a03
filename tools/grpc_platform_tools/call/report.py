"""All that one run found."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from grpc_platform_tools.call.steps import Call, Diagnosis, Endpoint, Lookup, Target


@dataclass(kw_only=True)
class Report:
    """The steps as far as they came."""

    target: Target
    lookup: Lookup | None = None
    endpoints: tuple[Endpoint, ...] = ()
    call: Call | None = None
    services: list[str] | None = None
    """What --list found."""
    diagnosis: Diagnosis | None = None
    """Why the call failed; None: it did not."""
    warning: Diagnosis | None = None
    """What is wrong although the call succeeded."""

    def as_json(self) -> str:
        """Everything, for programs."""
        found = asdict(self)
        if self.call:
            found["call"] |= {
                "by_envoy": self.call.by_envoy,
                "by_upstream": self.call.by_upstream,
                "pod": self.call.pod,
            }
        return json.dumps(found, indent=2, default=_time)


def _time(value: Any) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
