"""Names of objects of which two may exist while the new one replaces the old one."""

import hashlib
import json
from typing import Any

import pulumi

_DIGEST_LENGTH = 10


def name_prefix(name: str) -> str:
    """`name` cut to 36 characters, and a dash. AWS's provider appends 26 characters to make it
    unique.

    The strictest limits are 38 for an IAM role's prefix (64 in all) and 37 for a node group's
    (63 in all).
    """
    return f"{name[:36].rstrip('-')}-"


def named_after(name: str, content: Any) -> pulumi.Output[str]:
    """`name` and a digest of `content`, for a Kubernetes object whose content cannot change.

    New content is then a new object, created before the old one is deleted. Under a fixed name
    Pulumi deletes the old object first, and every resource with an input from it:
    https://github.com/pulumi/pulumi-kubernetes/issues/1567
    """

    def digest(content: Any) -> str:
        # A resource's arguments are objects with plain values.
        text = json.dumps(content, default=vars, sort_keys=True)
        return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]}"

    return pulumi.Output.from_input(content).apply(digest)
