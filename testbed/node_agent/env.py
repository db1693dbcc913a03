"""Environment variables of a container, as its manifest declares them. Pure."""

import base64
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from testbed.node_agent import Json

_REFERENCE = re.compile(r"\$(\$|\(([^)]+)\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18, "m": 10**-3,
    "u": 10**-6, "n": 10**-9,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip

Lookup = Callable[[str, str], Json | None]
"""(collection, name) -> the ConfigMap or Secret of the pod's namespace, or None."""


class ConfigError(Exception):
    """The manifest refers to something that does not exist (yet), or contradicts itself."""


@dataclass(frozen=True)
class Surroundings:
    """Facts that a manifest may refer to but does not contain. Memory in bytes, CPU in cores."""

    pod_address: str
    node_address: str
    api_host: str
    api_port: str
    node_cpu: float
    node_memory: int


def quantity(text: str) -> float:
    """A Kubernetes quantity such as 250m, 1.5 or 64Mi, as a number of cores or bytes."""
    match = re.fullmatch(r"([0-9.]+(?:[eE][-+]?[0-9]+)?)([a-zA-Z]*)", text)
    if match is None or match[2] not in _UNITS:
        raise ConfigError(f"not a quantity: {text!r}")
    return float(match[1]) * _UNITS[match[2]]


def expand(text: str, values: dict[str, str]) -> str:
    """Replace $(NAME) by its value; an unknown name stays unchanged, and $$ is a plain $."""

    def one(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return values.get(match[2], match[0])

    return _REFERENCE.sub(one, text)


def field(pod: Json, path: str, around: Surroundings) -> str:
    """The value of a fieldRef; raises ConfigError for a path that Kubernetes does not have."""
    meta, spec = pod["metadata"], pod["spec"]
    if match := _KEYED.fullmatch(path):
        return str(meta.get(match[1], {}).get(match[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries: dict[str, str] = meta.get(path.removeprefix("metadata."), {})
        quoted = {key: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
                  for key, value in sorted(entries.items())}  # fmt: skip
        return "\n".join(f'{key}="{value}"' for key, value in quoted.items())
    known = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": around.pod_address,
        "status.podIPs": around.pod_address,
        "status.hostIP": around.node_address,
        "status.hostIPs": around.node_address,
    }
    if path not in known:
        raise ConfigError(f"unknown fieldRef {path!r}")
    return known[path]


def resource(pod: Json, reference: Json, container: Json | None, around: Surroundings) -> str:
    """The value of a resourceFieldRef: a whole number of divisors, rounded up."""
    name: str = reference["resource"]
    wanted = reference.get("containerName")
    everyone = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
    source = next((one for one in everyone if one["name"] == wanted), container)
    if source is None:
        raise ConfigError(f"resourceFieldRef names no container {wanted!r}")
    section, _, kind = name.partition(".")
    declared = source.get("resources", {}).get(section, {}).get(kind)
    if declared is not None:
        value = quantity(str(declared))
    elif section == "limits" and kind in ("cpu", "memory"):
        value = around.node_cpu if kind == "cpu" else around.node_memory
    else:
        value = 0
    divisor = quantity(str(reference.get("divisor", "1"))) or 1
    return str(math.ceil(round(value / divisor, 6)))


def environment(pod: Json, container: Json, lookup: Lookup, around: Surroundings) -> dict[str, str]:
    """All variables of a container; raises ConfigError when a reference has no target."""
    values = {
        "PATH": "/parts:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/",
        "HOSTNAME": pod["spec"].get("hostname") or pod["metadata"]["name"],
        "KUBERNETES_SERVICE_HOST": around.api_host,
        "KUBERNETES_SERVICE_PORT": around.api_port,
        "KUBERNETES_SERVICE_PORT_HTTPS": around.api_port,
    }
    for source in container.get("envFrom", []):
        prefix = source.get("prefix", "")
        for collection, name in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
            if name in source:
                found = _find(lookup, collection, source[name])
                data = {} if found is None else texts(found, collection)
                values |= {prefix + key: text for key, text in data.items()}
    for entry in container.get("env", []):
        if "valueFrom" not in entry:
            values[entry["name"]] = expand(entry.get("value", ""), values)
            continue
        value = _value_from(entry["valueFrom"], pod, container, lookup, around)
        if value is not None:
            values[entry["name"]] = value
    return values


def _value_from(
    source: Json, pod: Json, container: Json, lookup: Lookup, around: Surroundings
) -> str | None:
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"], around)
    if "resourceFieldRef" in source:
        return resource(pod, source["resourceFieldRef"], container, around)
    for collection, name in (("configmaps", "configMapKeyRef"), ("secrets", "secretKeyRef")):
        if name in source:
            reference = source[name]
            found = _find(lookup, collection, reference)
            if found is None:
                return None
            data = texts(found, collection)
            if reference["key"] not in data and not reference.get("optional"):
                raise ConfigError(
                    f"couldn't find key {reference['key']} in {collection[:-1]} {reference['name']}"
                )
            return data.get(reference["key"])
    raise ConfigError(f"valueFrom {', '.join(source)} is not known")


def _find(lookup: Lookup, collection: str, reference: Json) -> Json | None:
    found = lookup(collection, reference["name"])
    if found is None and not reference.get("optional"):
        raise ConfigError(f'{collection[:-1]} "{reference["name"]}" not found')
    return found


def payload(thing: Json, collection: str) -> dict[str, bytes]:
    """The data of a ConfigMap or Secret as bytes by key."""
    data: dict[str, Any] = thing.get("data") or {}
    if collection == "secrets":
        return {key: base64.b64decode(text) for key, text in data.items()}
    binary: dict[str, str] = thing.get("binaryData") or {}
    plain = {key: str(text).encode() for key, text in data.items()}
    return plain | {key: base64.b64decode(text) for key, text in binary.items()}


def texts(thing: Json, collection: str) -> dict[str, str]:
    """The data of a ConfigMap or Secret as text by key."""
    return {key: data.decode(errors="replace") for key, data in payload(thing, collection).items()}
