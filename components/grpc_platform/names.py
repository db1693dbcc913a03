"""Names of objects that may exist twice while one replaces the other."""

import hashlib
import json
from typing import Any

import pulumi

_DIGEST_LENGTH = 10


def name_prefix(name: str) -> str:
    """`name` cut to 36 characters, and a dash: what AWS's provider makes unique with 26 more.

    The strictest limits are 38 for an IAM role's prefix (64 in all) and 37 for a node group's
    (63 in all).
    """
    return f"{name[:36].rstrip('-')}-"


def named_after(name: str, content: Any) -> pulumi.Output[str]:
    """`name` and a digest of `content`, for an object of Kubernetes whose content cannot change.

    A new content then is a new object, made before the old one is deleted. Under one name Pulumi
    deletes the old object first, and with it what takes an input from it:
    https://github.com/pulumi/pulumi-kubernetes/issues/1567
    """

    def digest(content: Any) -> str:
        # Arguments of a resource are objects of plain values.
        text = json.dumps(content, default=vars, sort_keys=True)
        return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]}"

    return pulumi.Output.from_input(content).apply(digest)
