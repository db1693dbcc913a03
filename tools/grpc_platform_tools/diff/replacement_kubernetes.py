"""Which changed inputs make pulumi-kubernetes replace a resource, or be replaced itself.

Names are inputs as Pulumi sends them; `a.b` is b within a, `*` any element of a list.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import yaml

Segment = str | int

# Written by hand: the rules are Go code and not in the provider's schema. Compared field by field
# with diff.go at commit 94977969 of July 2026, after 4.32; 4.34 was not available. The file had not
# changed since 4.27. Every kind also has metadata.name and metadata.namespace. The provider knows
# no other immutable fields: the API server refuses a change to those (no change replaces a CronJob,
# an Ingress, an HPA, a NetworkPolicy, a CRD, an IngressClass …).
KUBERNETES_SOURCE = (
    "https://github.com/pulumi/pulumi-kubernetes/blob/v4.32.0/provider/pkg/provider/diff.go"
)


def _each(within: str, names: str) -> tuple[str, ...]:
    return tuple(f"{within}{name}" for name in names.split())


_STATEFUL_SET = _each(
    "spec.",
    "podManagementPolicy revisionHistoryLimit selector serviceName volumeClaimTemplates",
)
_JOB = _each("spec.", "completions parallelism selector template")
_CONTAINER = """args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe
    resources securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty
    volumeDevices volumeMounts workingDir"""
_POD = """affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases
    hostIPC hostNetwork hostPID hostname imagePullSecrets nodeName nodeSelector overhead
    preemptionPolicy priority priorityClassName readinessGates restartPolicy runtimeClassName
    schedulerName securityContext serviceAccount serviceAccountName shareProcessNamespace subdomain
    terminationGracePeriodSeconds volumes"""
_VOLUME = """awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker
    gcePersistentDisk glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte
    rbd scaleIO storageos vsphereVolume"""

KUBERNETES: Mapping[str, tuple[str, ...]] = {
    "apps/v1:DaemonSet": ("spec.selector",),
    "apps/v1:Deployment": ("spec.selector",),
    "apps/v1:StatefulSet": _STATEFUL_SET,
    "apps/v1beta1:StatefulSet": _STATEFUL_SET,
    "apps/v1beta2:DaemonSet": ("spec.selector",),
    "apps/v1beta2:Deployment": ("spec.selector",),
    "apps/v1beta2:StatefulSet": _STATEFUL_SET,
    "batch/v1:Job": _JOB,
    "batch/v1beta1:Job": _JOB,
    "batch/v2alpha1:Job": _JOB,
    "core/v1:ConfigMap": ("binaryData", "data"),  # unless mutable: _fields
    "core/v1:PersistentVolume": _each("spec.", _VOLUME),
    "core/v1:PersistentVolumeClaim": _each(
        "spec.", "accessModes selector storageClassName volumeName"
    ),
    "core/v1:Pod": (
        *_each("spec.", _POD),
        *_each("spec.containers.*.", _CONTAINER),
        *_each("spec.initContainers.*.", _CONTAINER),
    ),
    "core/v1:ResourceQuota": ("spec.scopes",),
    "core/v1:Secret": ("data", "stringData", "type"),  # unless mutable: _fields
    "core/v1:Service": ("spec.clusterIP",),  # its type changes in place
    "helm.sh/v3:Release": ("name", "namespace"),  # helm_release.go
    "policy/v1beta1:PodDisruptionBudget": ("spec",),
    "storage.k8s.io/v1:StorageClass": ("parameters", "provisioner"),
} | {
    f"rbac.authorization.k8s.io/{version}:{kind}": ("roleRef",)
    for version in ("v1", "v1alpha1", "v1beta1")
    for kind in ("ClusterRoleBinding", "RoleBinding")
}

# Cluster-scoped kinds of the Kubernetes API: a namespace in their metadata has no effect.
CLUSTER_SCOPED = frozenset(
    _each(
        "",
        """APIService CSIDriver CSINode CertificateSigningRequest ClusterRole ClusterRoleBinding
        CustomResourceDefinition FlowSchema IngressClass MutatingWebhookConfiguration Namespace Node
        PersistentVolume PriorityClass PriorityLevelConfiguration RuntimeClass StorageClass
        ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
        VolumeAttachment""",
    )
)
_MUTABLE = {
    "core/v1:ConfigMap": "enableConfigMapMutable",
    "core/v1:Secret": "enableSecretMutable",
}


def forces(
    kind: str,
    path: tuple[Segment, ...],
    old: Any,
    new: Any,
    after: Mapping[str, Any],
    provider: Mapping[str, Any],
) -> bool:
    """Whether a change in a resource of `kind`, such as `apps/v1:Deployment`, replaces it.

    A change at or within a listed field does. So does a field that is added together with its
    parent. One that is removed together with its parent does not, except with the whole metadata.
    """
    if path == ("metadata",) and new is None:
        return True
    if _other_namespace(kind, path, old, new, provider):
        return True
    fields = _fields(kind, after, provider)
    return any(_touches(path, old, new, tuple(listed.split("."))) for listed in fields)


def forces_within(
    kind: str, key: str, inputs: Mapping[str, Any], provider: Mapping[str, Any]
) -> bool:
    """Whether anything within the input `key` replaces a resource of `kind`."""
    return any(listed.split(".")[0] == key for listed in _fields(kind, inputs, provider))


def _fields(kind: str, after: Mapping[str, Any], provider: Mapping[str, Any]) -> tuple[str, ...]:
    listed = KUBERNETES.get(kind, ())
    if _is_set(provider.get(_MUTABLE.get(kind, ""))) and not after.get("immutable"):
        listed = tuple(name for name in listed if name == "type")
    return ("metadata.name", *listed)


def _is_set(flag: Any) -> bool:
    """A provider's own inputs are JSON in text."""
    return flag is True or flag == "true"


def _other_namespace(
    kind: str, path: tuple[Segment, ...], old: Any, new: Any, provider: Mapping[str, Any]
) -> bool:
    if kind.rpartition(":")[2].removesuffix("Patch") in CLUSTER_SCOPED:
        return False
    if path == ("metadata",):
        old, new = (_at(value, "namespace") for value in (old, new))
    elif path != ("metadata", "namespace"):
        return False
    default = provider.get("namespace") or "default"
    return (old or default) != (new or default)


def _touches(path: tuple[Segment, ...], old: Any, new: Any, listed: tuple[str, ...]) -> bool:
    shared = min(len(path), len(listed))
    if any(wanted not in ("*", at) for at, wanted in zip(path, listed, strict=False)):
        return False
    inner = listed[shared:]
    if not inner:
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        return _within(old, inner) != _within(new, inner)
    return bool(_within(new, inner))


def _within(value: Any, path: Sequence[str]) -> list[Any]:
    """The values at `path` in a value: none, one, or several for a `*`."""
    if not path:
        return [value]
    if path[0] == "*":
        elements = cast("list[Any]", value) if isinstance(value, list) else []
        return [found for element in elements for found in _within(element, path[1:])]
    if isinstance(value, dict) and path[0] in value:
        return _within(cast("dict[str, Any]", value)[path[0]], path[1:])
    return []


CLUSTER_KEYS = ("cluster", "context", "kubeconfig")
"""The inputs of a provider that select its cluster."""


def replaces_provider(
    path: tuple[Segment, ...],
    old: Any,
    new: Any,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> bool:
    """Whether a change replaces a `pulumi:providers:kubernetes`, and so all of its objects.

    By DiffConfig in provider.go, beside diff.go: a changed clusterIdentifier does, unless it is new
    or gone. An unchanged one keeps the provider whatever else changes. Without one, another active
    cluster entry in the kubeconfig replaces it. If only the changed value is known, any change of
    the kubeconfig's clusters or contexts counts as one of the active entry.
    """
    match path[0]:
        case "clusterIdentifier":
            return bool(old) and bool(new)
        case _ if _stays(before, after):
            return False
        case "renderYamlToDirectory":
            return True
        case key if key in CLUSTER_KEYS and before and after:
            active = _active_cluster(before), _active_cluster(after)
            return None not in active and active[0] != active[1]
        case "kubeconfig":
            return len(path) == 1 or path[1] in ("clusters", "contexts", "current-context")
        case "cluster" | "context":
            return True
        case _:
            return False


def is_unclear(
    path: tuple[Segment, ...], before: Mapping[str, Any], after: Mapping[str, Any]
) -> bool:
    """Whether a change might replace a provider: its kubeconfig is secret or a file, and no
    clusterIdentifier says that the cluster is the same."""
    unknown = None in (_active_cluster(before), _active_cluster(after))
    return path[0] in CLUSTER_KEYS and unknown and not _stays(before, after)


def _stays(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    identifier = after.get("clusterIdentifier")
    return bool(identifier) and identifier == before.get("clusterIdentifier")


def _active_cluster(provider: Mapping[str, Any]) -> Any:
    """The cluster that a provider's kubeconfig selects; None where it selects none."""
    text = provider.get("kubeconfig")
    try:
        config = yaml.safe_load(text) if isinstance(text, str) else text
    except yaml.YAMLError:
        return None
    context = provider.get("context") or _at(config, "current-context")
    selected = _at(_named(config, "contexts", context), "context")
    if selected is None:
        return None
    name = provider.get("cluster") or _at(selected, "cluster")
    return _at(_named(config, "clusters", name), "cluster")


def _named(config: Any, entries: str, name: Any) -> Any:
    return next((e for e in _at(config, entries) or () if _at(e, "name") == name), None)


def _at(value: Any, key: str) -> Any:
    return cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
