"""NetworkPolicies, their peers and ports."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as k8s

from . import pods


def admit_only(
    name: str,
    metadata: k8s.meta.v1.ObjectMetaArgs,
    application: str,
    rules: Sequence[k8s.networking.v1.NetworkPolicyIngressRuleArgs],
    opts: pulumi.ResourceOptions,
) -> k8s.networking.v1.NetworkPolicy:
    """Refuse the pods of `application` every connection from outside that no rule admits."""
    selector = k8s.meta.v1.LabelSelectorArgs(match_labels=pods.selector(application))
    return k8s.networking.v1.NetworkPolicy(
        name,
        metadata=metadata,
        spec=k8s.networking.v1.NetworkPolicySpecArgs(
            pod_selector=selector,
            policy_types=["Ingress"],
            # The API server drops an empty list, and the engine's plan with it.
            ingress=rules or None,
        ),
        opts=opts,
    )


def pods_of(
    namespaces: Sequence[pulumi.Input[str]],
    labels: Mapping[str, pulumi.Input[str]] | None = None,
) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    """Pods in these namespaces of the policy's own cluster, with these labels; in all namespaces if
    the list is empty."""
    selector = k8s.meta.v1.LabelSelectorArgs()
    if namespaces:
        named = k8s.meta.v1.LabelSelectorRequirementArgs(
            key="kubernetes.io/metadata.name", operator="In", values=list(namespaces)
        )
        selector = k8s.meta.v1.LabelSelectorArgs(match_expressions=[named])
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        namespace_selector=selector,
        pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels) if labels else None,
    )


def addresses(block: pulumi.Input[str]) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    """Everything with an address in this block."""
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        ip_block=k8s.networking.v1.IPBlockArgs(cidr=block)
    )


def tcp(port: int) -> k8s.networking.v1.NetworkPolicyPortArgs:
    """One TCP port."""
    return k8s.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=port)
