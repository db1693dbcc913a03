"""Finds the client contract of a service among a stack's outputs."""

import json
from typing import Any

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.graph import SECRET
from grpc_platform_tools.plain import is_mapping

SCHEMA_VERSION = 1
"""The version of a platform's outputs that is read here: PlatformStack's."""

_GIVE = "give what `pulumi stack output --json` prints"
_PLAIN = "is secret; export it as plain values, and run pulumi up there"

_NAMED = 50  # services, where one is not found

_REQUIRED: dict[str, type] = {
    "target_uri": str,
    "host": str,
    "port": int,
    "tls": bool,
    "service_config": str,
}
"""The fields that every release exports, with their types."""


def read_outputs(text: str, where: str) -> dict[str, Any]:
    """The outputs that `pulumi stack output --json` prints. `where` is named in messages.

    Raises UserError for any other text. No message here has a value: it might be a secret.
    """
    try:
        outputs = json.loads(text)
    except (ValueError, RecursionError) as error:
        at = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise UserError(f"{where}: not JSON{at}; {_GIVE}") from error
    if not is_mapping(outputs):
        raise UserError(f"{where}: not a stack's outputs; {_GIVE}")
    return outputs


def find_contract(outputs: dict[str, Any], service: str, where: str) -> dict[str, Any]:
    """The contract of `service`: an entry of a platform's output `services`, or an output of a
    team's stack that is itself a contract.

    Raises UserError if there is none, if it is not a contract, and for outputs of another version.
    """
    services = outputs.get("services", {})
    if services == SECRET:
        raise UserError(f"{where}: services: {_PLAIN}")
    version = outputs.get("schema_version", None if services else SCHEMA_VERSION)
    if version is None:
        raise UserError(
            f"{where}: exports no schema_version, so it was deployed before outputs had a version; "
            "run pulumi up there with this release"
        )
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{where}: exports another schema_version than {SCHEMA_VERSION}, which this release "
            "reads; use the release of grpc-platform-tools that belongs to it"
        )
    found = {name: value for name, value in outputs.items() if _is_contract(value)}
    found |= services if is_mapping(services) else {}
    if service not in found:
        names = ", ".join(sorted(found)[:_NAMED])
        others = f"services: {names}" if found else "it exports no service"
        raise UserError(f"{where}: no service {service!r}; {others}")
    return _checked(found[service], f"{where}: {service}")


def _is_contract(value: object) -> bool:
    return is_mapping(value) and "target_uri" in value and "service_config" in value


def _checked(contract: object, where: str) -> dict[str, Any]:
    """The contract if a client can dial with it; UserError names the first field that is wrong."""
    if contract == SECRET:
        raise UserError(f"{where}: {_PLAIN}")
    if not is_mapping(contract):
        raise UserError(f"{where}: not a client contract; finish pulumi up there")
    for field, value in contract.items():
        if value == SECRET:
            raise UserError(f"{where}: {field}: {_PLAIN}")
    for field, kind in _REQUIRED.items():
        value = contract.get(field)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UserError(
                f"{where}: {field}: missing or of another type; run pulumi up there with this "
                "release"
            )
    return contract
