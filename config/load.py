"""The only reader of `pulumi.Config`."""

import json
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.runtime import config as runtime

from grpc_platform import ExistingClusterArgs
from grpc_platform.rules import Mistake
from grpc_platform.specs import ExistingClusterSpec

from .check import check, warnings
from .mistakes import unknown_section
from .settings import Settings

KUBECONFIG = "kubeconfig-"
"""Prefix of the encrypted keys that contain an existing cluster's kubeconfig:
`kubeconfig-<cluster>`."""


def load_settings() -> Settings:
    """The stack's settings.

    Raises ConfigError, before anything is registered, with every mistake in the stack file.
    """
    config = pulumi.Config()
    keys = _keys(config.name)
    found = [*_encrypted_sections(config.name, keys), *_plain_kubeconfigs(config.name, keys)]
    raw: dict[str, Any] = {}
    encrypted = {mistake.path[0] for mistake in found}
    for key in keys:
        if key in Settings.model_fields:
            if key not in encrypted:  # the line of another mistake would show its values
                raw[key] = _value(config.require(key))
        elif not key.startswith(KUBECONFIG):
            found.append(unknown_section(key, Settings))
    settings = check(
        raw,
        region=None
        if runtime.is_config_secret("aws:region")
        else pulumi.Config("aws").get("region"),
        kubeconfigs=[k.removeprefix(KUBECONFIG) for k in keys if k.startswith(KUBECONFIG)],
        found=found,
    )
    for warning in warnings(settings, datetime.now(UTC).date()):
        pulumi.log.warn(warning)
    return settings


def existing_cluster(name: str, spec: ExistingClusterSpec) -> ExistingClusterArgs:
    """The arguments of an existing cluster, whose kubeconfig is a path, or the encrypted
    content."""
    return ExistingClusterArgs(
        kubeconfig=spec.kubeconfig or pulumi.Config().require_secret(f"{KUBECONFIG}{name}"),
        context=spec.context,
        eks_cluster_name=spec.eks_cluster_name,
    )


def _keys(project: str) -> list[str]:
    full = {**runtime.get_config_env(), **runtime.CONFIG.get()}
    return sorted(key.removeprefix(f"{project}:") for key in full if key.startswith(f"{project}:"))


def _value(text: str) -> Any:
    """The engine passes sections as JSON and plain values unchanged."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a number of too many digits
        return text


def _plain_kubeconfigs(project: str, keys: list[str]) -> list[Mistake]:
    return [
        Mistake((key,), None, f"must be encrypted: pulumi config set --secret {key} < FILE")
        for key in keys
        if key.startswith(KUBECONFIG) and not runtime.is_config_secret(f"{project}:{key}")
    ]


def _encrypted_sections(project: str, keys: list[str]) -> list[Mistake]:
    # The engine decrypts a value inside a section and does not mark it as secret, so it would be
    # printed like any other: https://github.com/pulumi/pulumi/issues/6531
    return [
        Mistake((key,), None, f"holds an encrypted value; only {KUBECONFIG}<cluster> may be one")
        for key in keys
        if key in Settings.model_fields and runtime.is_config_secret(f"{project}:{key}")
    ]
