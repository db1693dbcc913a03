"""What accounts may do in a cluster and at Route53, and what they did there."""

import base64
import importlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import yaml

from testbed.cluster.cluster import Cluster

# It has no types.
_session: Any = importlib.import_module("botocore.session")
_ARGUED = Path(__file__).with_name("unused_rights.yaml")
_UNTOLD = {"create", "bind", "escalate"}
"""The audit log tells an apply as `patch`, even if the API server also checked one of these."""


@dataclass(frozen=True, order=True)
class Right:
    """One verb for one resource."""

    account: str
    """`<namespace>:<name>` of the service account."""
    verb: str
    resource: str
    """`ingresses/status.networking.k8s.io`."""
    namespace: str = ""
    """Empty: in all."""
    name: str = ""
    """Empty: of all objects."""

    def covers(self, call: "Right") -> bool:
        """Whether a call, told in the same form, needs this right."""
        same = (self.account, self.verb, self.resource) == (call.account, call.verb, call.resource)
        return (
            same
            and self.namespace in ("", call.namespace)
            and (self.name in ("", call.name) or self.verb == "create")
        )

    def __str__(self) -> str:
        words = (self.account, self.verb, self.resource, self.name)
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Calls:
    """What the service accounts of a cluster called, by its audit log."""

    allowed: frozenset[Right]
    refused: frozenset[Right]

    def unused(self, rights: Iterable[Right]) -> set[str]:
        """The rights that no call needed."""
        return {str(r) for r in rights if not any(r.covers(call) for call in self.allowed)}


def calls(cluster: Cluster, *accounts: str) -> Calls:
    """The calls of these accounts until now."""
    allowed: set[Right] = set()
    refused: set[Right] = set()
    for line in (cluster.state / "logs" / "audit.jsonl").read_text().splitlines():
        entry = json.loads(line)
        account = entry["user"]["username"].removeprefix("system:serviceaccount:")
        code = entry.get("responseStatus", {}).get("code")
        if account in accounts and code is not None:
            (refused if code == 403 else allowed).add(_call(account, entry))
    # An API server that has just started refuses every request until it has read the roles.
    return Calls(frozenset(allowed), frozenset(refused - allowed))


def _call(account: str, entry: dict[str, Any]) -> Right:
    target = entry.get("objectRef", {})
    if "resource" not in target:
        return Right(account, entry["verb"], _path(entry["requestURI"]))
    resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
    return Right(
        account,
        entry["verb"],
        _qualified(resource, target.get("apiGroup", "")),
        target.get("namespace", ""),
        target.get("name", ""),
    )


def _path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")


def granted(objects: Iterable[dict[str, Any]]) -> set[Right]:
    """What the bindings among these objects give to service accounts."""
    found = list(objects)
    roles = {_place(each): each["rules"] for each in found if each["kind"] in _ROLES}
    return {
        Right(
            f"{subject['namespace']}:{subject['name']}",
            verb,
            _qualified(resource, group),
            binding["metadata"].get("namespace", ""),
            name,
        )
        for binding in found
        if binding["kind"] in {f"{kind}Binding" for kind in _ROLES}
        for subject in binding["subjects"]
        for rule in roles[_place(binding["roleRef"], binding["metadata"].get("namespace"))]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


_ROLES = ("ClusterRole", "Role")


def _place(role: dict[str, Any], namespace: str | None = None) -> tuple[str, str | None, str]:
    """A role or a reference to it: kind, namespace and name."""
    metadata = role.get("metadata", {"name": role.get("name")})
    inside = metadata.get("namespace", namespace)
    return role["kind"], inside if role["kind"] == "Role" else None, metadata["name"]


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def told(rights: Iterable[Right]) -> set[Right]:
    """Those of the rights whose use the audit log would tell."""
    return {right for right in rights if right.verb not in _UNTOLD}


def argued() -> dict[str, str]:
    """Rights that stay although no call here needs them, each with the reason."""
    entries = yaml.safe_load(_ARGUED.read_text())
    assert all(entry["reason"] and entry["link"].startswith("https://") for entry in entries)
    return {entry["right"]: entry["reason"] for entry in entries}


# --- Route53 --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One request to the emulated Route53."""

    action: str
    """As IAM names it, without the service."""
    changes: tuple[tuple[str, str, str], ...] = ()
    """Of a change: what is done, to which name, and the record's type."""


def asked_of_route53(cluster: Cluster, agent: str) -> set[Asked]:
    """The requests of programs whose user agent begins with this."""
    log = cluster.sandbox.state / "logs" / "route53.jsonl"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    return {_asked(e) for e in entries if e["headers"].get("User-Agent", "").startswith(agent)}


def _asked(entry: dict[str, Any]) -> Asked:
    path = _path(entry["url"])
    action = next(
        name
        for name, (method, pattern) in _operations().items()
        if method == entry["method"] and pattern.fullmatch(path)
    )
    return Asked(action, tuple(_changes(entry)) if action.startswith("Change") else ())


@cache
def _operations() -> dict[str, tuple[str, re.Pattern[str]]]:
    """How each operation is called, by AWS's own description of the service."""
    model = _session.get_session().get_service_model("route53")
    found: dict[str, tuple[str, re.Pattern[str]]] = {}
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = re.escape(http["requestUri"].partition("?")[0].rstrip("/"))
        found[name] = http["method"], re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", path))
    return found


def _changes(entry: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    root = ElementTree.fromstring(base64.b64decode(entry["body"]))
    for change in root.findall(".//{*}Change"):
        words = (change.find(f".//{{*}}{tag}") for tag in ("Action", "Name", "Type"))
        action, name, kind = (str(word.text) for word in words if word is not None)
        yield action, name.rstrip("."), kind
