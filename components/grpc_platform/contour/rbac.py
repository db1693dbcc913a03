"""What Contour may read and write in the cluster."""

import pulumi
import pulumi_kubernetes as k8s

from .. import pods
from ..conventions import CONTOUR
from ..specs import ContourSpec

LEASE = "leader-elect"
"""The Lease for Contour's leader election: the default of --leader-election-resource-name."""

_RBAC = "rbac.authorization.k8s.io"
_WATCH = ["list", "watch"]


def contour_rbac(
    name: str, namespace: pulumi.Input[str], spec: ContourSpec, child: pulumi.ResourceOptions
) -> tuple[k8s.core.v1.ServiceAccount, list[pulumi.Resource]]:
    """Contour's account, and the bindings that Contour needs before it starts."""
    account = k8s.core.v1.ServiceAccount(
        f"{name}-account", metadata=pods.metadata(CONTOUR, namespace, CONTOUR), opts=child
    )
    return account, [
        _cluster_wide(name, account, namespace, _informers(spec), child),
        bound_role(name, account, namespace, _leader_election(), child),
    ]


def bound_role(
    name: str,
    account: k8s.core.v1.ServiceAccount,
    namespace: pulumi.Input[str],
    rules: list[k8s.rbac.v1.PolicyRuleArgs],
    child: pulumi.ResourceOptions,
) -> k8s.rbac.v1.RoleBinding:
    """A Role with these rules, named after the account and bound to it, in the account's
    namespace."""
    metadata = k8s.meta.v1.ObjectMetaArgs(
        name=account.metadata["name"], namespace=namespace, labels=pods.labels(CONTOUR)
    )
    role = k8s.rbac.v1.Role(f"{name}-role", metadata=metadata, rules=rules, opts=child)
    return k8s.rbac.v1.RoleBinding(
        f"{name}-binding",
        metadata=metadata,
        role_ref=k8s.rbac.v1.RoleRefArgs(api_group=_RBAC, kind="Role", name=role.metadata["name"]),
        subjects=[_subject(account, namespace)],
        opts=child,
    )


def _cluster_wide(
    name: str,
    account: k8s.core.v1.ServiceAccount,
    namespace: pulumi.Input[str],
    rules: list[k8s.rbac.v1.PolicyRuleArgs],
    child: pulumi.ResourceOptions,
) -> k8s.rbac.v1.ClusterRoleBinding:
    metadata = pods.metadata(CONTOUR, None, CONTOUR)
    role = k8s.rbac.v1.ClusterRole(
        f"{name}-cluster-role", metadata=metadata, rules=rules, opts=child
    )
    return k8s.rbac.v1.ClusterRoleBinding(
        f"{name}-cluster-binding",
        metadata=metadata,
        role_ref=k8s.rbac.v1.RoleRefArgs(
            api_group=_RBAC, kind="ClusterRole", name=role.metadata["name"]
        ),
        subjects=[_subject(account, namespace)],
        opts=child,
    )


def _informers(spec: ContourSpec) -> list[k8s.rbac.v1.PolicyRuleArgs]:
    """The kinds that `contour serve` watches without a Gateway, and those it writes.

    Contour reads single objects from its caches, so it does not need `get`. It watches all Secrets,
    because a TLS Ingress may name one in any namespace. HTTPProxies, whose status it writes, exist
    only with upstream's CRDs.
    """
    rule = k8s.rbac.v1.PolicyRuleArgs
    rules = [
        rule(api_groups=[""], resources=["services", "secrets"], verbs=_WATCH),
        rule(api_groups=["discovery.k8s.io"], resources=["endpointslices"], verbs=_WATCH),
        rule(api_groups=["networking.k8s.io"], resources=["ingresses"], verbs=_WATCH),
        rule(api_groups=["networking.k8s.io"], resources=["ingresses/status"], verbs=["update"]),
        rule(
            api_groups=["projectcontour.io"],
            resources=["httpproxies", "tlscertificatedelegations"],
            verbs=_WATCH,
        ),
    ]
    if spec.crds == "none":
        rules.append(
            rule(
                api_groups=["projectcontour.io"],
                resources=["httpproxies/status"],
                verbs=["update"],
            )
        )
    return rules


def _leader_election() -> list[k8s.rbac.v1.PolicyRuleArgs]:
    rule = k8s.rbac.v1.PolicyRuleArgs
    leases = "coordination.k8s.io"
    return [
        # RBAC cannot restrict `create` by an object's name.
        rule(api_groups=[leases], resources=["leases"], verbs=["create"]),
        rule(
            api_groups=[leases],
            resources=["leases"],
            resource_names=[LEASE],
            verbs=["get", "update"],
        ),
        rule(api_groups=[""], resources=["events"], verbs=["create"]),
    ]


def _subject(
    account: k8s.core.v1.ServiceAccount, namespace: pulumi.Input[str]
) -> k8s.rbac.v1.SubjectArgs:
    return k8s.rbac.v1.SubjectArgs(
        kind="ServiceAccount", name=account.metadata["name"], namespace=namespace
    )
