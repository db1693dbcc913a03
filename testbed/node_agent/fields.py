"""Which fields of a pod the agent honours, and why not the others. Pure.

An entry covers everything below it, unless a longer entry does. Kubernetes added fields without an
entry later: they count as not honoured.
"""

from collections.abc import Iterator
from typing import Any, cast

from testbed.node_agent import Json

YES = ""
"""Honoured, or without effect on the pod."""

_LIMIT = "processes share the machine without cgroups"
_KERNEL = "the sandbox does not set it up"
_HOST = "pods here always have namespaces of their own"
_PLACE = "there is no scheduler"
_VOLUME = "the pod does not start: no such volumes here"

_CONTAINER = {
    "name": YES,
    "image": "an executable with the image's or the command's name runs, not the image",
    "command": YES,
    "args": YES,
    "workingDir": YES,
    "ports": YES,
    "ports[].hostPort": "pods are reached at their own address only",
    "ports[].hostIP": "pods are reached at their own address only",
    "env": YES,
    "env[].valueFrom.fileKeyRef": "not implemented",
    "envFrom": YES,
    "resources.requests": YES,
    "resources.limits": _LIMIT,
    "resources.claims": _KERNEL,
    "resizePolicy": YES,
    "restartPolicy": YES,
    "restartPolicyRules": "not implemented",
    "volumeMounts": YES,
    "volumeMounts[].mountPropagation": _KERNEL,
    "volumeMounts[].recursiveReadOnly": _KERNEL,
    "volumeDevices": _KERNEL,
    "livenessProbe": YES,
    "readinessProbe": YES,
    "startupProbe": YES,
    "lifecycle.postStart": YES,
    "lifecycle.preStop": YES,
    "lifecycle.stopSignal": "containers get SIGTERM",
    "terminationMessagePath": YES,
    "terminationMessagePolicy": YES,
    "imagePullPolicy": YES,
    "securityContext.runAsUser": YES,
    "securityContext.runAsGroup": YES,
    "securityContext.runAsNonRoot": YES,
    "securityContext.readOnlyRootFilesystem": YES,
    "securityContext.allowPrivilegeEscalation": YES,
    "securityContext.capabilities": YES,
    "securityContext.privileged": "all capabilities are kept, devices are not shown",
    "securityContext.procMount": _KERNEL,
    "securityContext.seccompProfile": "no filter is loaded: every system call stays allowed",
    "securityContext.seLinuxOptions": _KERNEL,
    "securityContext.appArmorProfile": _KERNEL,
    "securityContext.windowsOptions": _KERNEL,
    "stdin": "standard input is empty",
    "stdinOnce": "standard input is empty",
    "tty": "there is no terminal",
}
_POD = {
    "activeDeadlineSeconds": YES,
    "affinity.nodeAffinity": _PLACE,
    "affinity.podAffinity": YES,  # one node, but for experiments: always together
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution": _PLACE,
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution": YES,
    "automountServiceAccountToken": YES,
    "dnsConfig": YES,
    "dnsPolicy": YES,
    "enableServiceLinks": YES,  # only the API server's: other Services have no address here
    "ephemeralContainers": "not implemented: use `enter`",
    "hostAliases": YES,
    "hostIPC": _HOST,
    "hostNetwork": _HOST,
    "hostPID": _HOST,
    "hostUsers": "user namespaces serve runAsUser here",
    "hostname": YES,
    "hostnameOverride": "not implemented",
    "imagePullSecrets": YES,
    "nodeName": YES,
    "nodeSelector": YES,
    "os": YES,
    "overhead": YES,
    "preemptionPolicy": YES,
    "priority": YES,
    "priorityClassName": YES,
    "readinessGates": YES,
    "resourceClaims": _KERNEL,
    "resources.requests": YES,
    "resources.limits": _LIMIT,
    "restartPolicy": YES,
    "runtimeClassName": "processes of the host run, whatever the class",
    "schedulerName": YES,
    "schedulingGates": YES,
    "securityContext.fsGroup": YES,
    "securityContext.fsGroupChangePolicy": YES,
    "securityContext.runAsGroup": YES,
    "securityContext.runAsNonRoot": YES,
    "securityContext.runAsUser": YES,
    "securityContext.supplementalGroups": YES,
    "securityContext.supplementalGroupsPolicy": YES,
    "securityContext.sysctls": YES,
    "securityContext.seccompProfile": "no filter is loaded: every system call stays allowed",
    "securityContext.seLinuxChangePolicy": YES,
    "securityContext.seLinuxOptions": _KERNEL,
    "securityContext.appArmorProfile": _KERNEL,
    "securityContext.windowsOptions": _KERNEL,
    "serviceAccount": YES,
    "serviceAccountName": YES,
    "setHostnameAsFQDN": "not implemented",
    "shareProcessNamespace": "each container has a process namespace of its own",
    "subdomain": YES,
    "terminationGracePeriodSeconds": YES,
    "tolerations": YES,
    "topologySpreadConstraints": YES,  # one node in each zone, with an even share of each owner's
    "volumes[]": _VOLUME,
    "volumes[].name": YES,
    "volumes[].configMap": YES,
    "volumes[].secret": YES,
    "volumes[].downwardAPI": YES,
    "volumes[].emptyDir": YES,
    "volumes[].emptyDir.sizeLimit": "kept with medium Memory only",
    "volumes[].projected": YES,
    "volumes[].projected.sources[].clusterTrustBundle": _VOLUME,
    "volumes[].projected.sources[].podCertificate": _VOLUME,
    "workloadRef": _PLACE,
}
TABLE: dict[str, str] = _POD | {
    f"{kind}[].{name}": why
    for kind in ("initContainers", "containers")
    for name, why in _CONTAINER.items()
}

# Defaults that the API server fills in.
_DEFAULTS = {("containers[].securityContext.procMount", "Default")}

GENERAL = """\
General differences from a kubelet
  - Images are not pulled. The base name of command[0], or without a command the image's name, finds
    an executable; an image's own USER, ENV, WORKDIR and ENTRYPOINT arguments are unknown.
  - A container without runAsUser runs as root; with runAsNonRoot alone as 65532.
  - When a plain user runs the agent, a container's other user gets a further user namespace with
    one id. It owns the files of its own root and volumes; fsGroup and supplementalGroups have no
    effect.
  - Every container sees the host's /usr read-only.
  - Services have no virtual address (no kube-proxy) and NetworkPolicies are not enforced.
  - kubectl logs works; kubectl exec, attach, port-forward and cp do not: use `enter`.
  - Nothing is evicted when memory or disk is short, and no container is killed for its limit.
  - ConfigMap and Secret volumes follow within a second, the kubelet within a minute.
"""


def reason(path: str) -> str | None:
    """YES, the reason why not, or None for a field that the table does not know."""
    return TABLE.get(_entry(path))


def not_honoured(pod: Json) -> list[str]:
    """The fields that this pod uses but that are not honoured, as "path (why)", each once.

    Equal fields of several containers are joined: containers[a,b].x.
    """
    spec: Json = pod["spec"]
    said: dict[tuple[str, str], list[str]] = {}
    for plain, name, value in _leaves(spec):
        why = reason(plain)
        if why == YES or not value or (plain, value) in _DEFAULTS or plain.endswith("].image"):
            continue
        names = said.setdefault((_entry(plain), why or "unknown to this agent"), [])
        if name and name not in names:
            names.append(name)
    told = list[str]()
    for (path, why), names in said.items():
        which = f"[{','.join(names)}]"
        told.append(f"{path.replace('[]', which, 1)} ({why})")
    return told


def describe() -> str:
    """The whole list, for people."""
    shown = {path: why for path, why in TABLE.items() if why and not path.startswith("init")}
    width = max(map(len, shown))
    lines = [f"  {path.ljust(width)}  {why}" for path, why in sorted(shown.items())]
    return "Fields of a pod's spec that are not honoured\n" + "\n".join(lines) + "\n\n" + GENERAL


def _entry(path: str) -> str:
    """The table's entry that covers a path, or the path itself if none does."""
    above = path
    while above and above not in TABLE:
        above = above[:-2] if above.endswith("[]") else above.rpartition(".")[0]
    return above or path


def _leaves(value: Any, path: str = "", name: str = "") -> Iterator[tuple[str, str, Any]]:
    """(path, name of the first list's element, value) of each plain value."""
    if isinstance(value, dict):
        for key, below in cast(Json, value).items():
            yield from _leaves(below, f"{path}.{key}" if path else key, name)
    elif isinstance(value, list):
        for below in cast(list[Any], value):
            own = str(cast(Json, below).get("name", "")) if isinstance(below, dict) else ""
            yield from _leaves(below, f"{path}[]", name or own)
    else:
        yield path, name, value
