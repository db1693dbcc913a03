"""The SDK's messages as plain data."""

import hmac
import json
import sys
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format, struct_pb2
from pulumi.runtime.rpc import UNKNOWN

from grpc_platform_tools.graph import SECRET
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.preview.layout import SIGNATURE, Layout
from grpc_platform_tools.preview.stack_file import ENCRYPTED

# How the SDK marks a secret on the wire (pulumi.runtime.rpc keeps the names private).
_SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Plain:
    """A request's values as plain JSON, and the dotted paths of its secret, unknown and encrypted
    values."""

    values: dict[str, Any]
    secret: tuple[str, ...]
    """Secrets; each reads SECRET in `values`."""
    marks: tuple[str, ...]
    """For each secret, a mark that is equal for equal secrets and reveals nothing else; none
    without a key."""
    unknown: tuple[str, ...]
    """Outputs that nothing resolved."""
    bared: tuple[str, ...]
    """Encrypted config that the program read as plain text."""


def plain(struct: struct_pb2.Struct, root: str, mark_key: bytes, layout: Layout) -> Plain:
    """Read a request's values; every path starts with `root`."""
    secret: list[str] = []
    marks: list[str] = []
    unknown: list[str] = []
    bared: list[str] = []

    def walk(value: Any, path: str) -> Any:
        if is_mapping(value):
            if value.get(SIGNATURE) == _SECRET_SIGNATURE:
                secret.append(path)
                if mark_key:
                    text = json.dumps(value.get("value"), sort_keys=True)
                    marks.append(hmac.new(mark_key, text.encode(), "sha256").hexdigest())
                return SECRET
            # Each request repeats the same few names in new objects.
            return {sys.intern(key): walk(value[key], f"{path}.{key}") for key in sorted(value)}
        if is_list(value):
            return [walk(item, f"{path}[{index}]") for index, item in enumerate(value)]
        if isinstance(value, float) and value.is_integer():
            return int(value)  # protobuf has only one kind of number
        if isinstance(value, str) and UNKNOWN in value:
            unknown.append(path)
        if isinstance(value, str) and ENCRYPTED in value:
            bared.append(path)
        return value

    given = json_format.MessageToDict(struct)
    if layout.shows_in(struct.SerializeToString()):
        given = layout.settled(given)
    values = walk(given, root)
    return Plain(values, tuple(secret), tuple(marks), tuple(unknown), tuple(bared))
