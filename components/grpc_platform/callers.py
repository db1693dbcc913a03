"""Who may reach Envoy's pods: security-group rules outside the cluster, a NetworkPolicy inside.

Both are needed. All pods of an EKS cluster share its cluster security group, which lets everything
in from itself, so only a NetworkPolicy tells its own pods apart; callers from elsewhere must pass
the security group first. What stays open all the same:

- Processes on the node of an Envoy pod, host-network pods among them: a NetworkPolicy cannot refuse
  a pod's own node, because probes come from there
  (https://kubernetes.io/docs/concepts/services-networking/network-policies/#what-you-can-t-do-with-network-policies-at-least-not-yet).
- Every pod and node of both clusters, once another cluster of the network is a caller: a
  NetworkPolicy knows the pods of other clusters by address alone, and clusters share their subnets.
  The security group still stops everything else in those subnets.
- Every member of a caller's security group whose address lies in the caller's block, and through
  the NetworkPolicy alone any pod of the serving cluster with such an address.
- A new Envoy pod in its first seconds: vpc-cni admits everything until it has set up the policy
  (https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html, standard
  mode).
- All pods of a cluster that does not enforce network policies: an existing one without such a CNI,
  or EKS Auto Mode without the ConfigMap of
  https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html.
"""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from . import pods
from .conventions import ENVOY, ENVOY_METRICS_PORT
from .options import for_children_too
from .rules import Mistake, refuse
from .rules.callers import caller_is_one_source, calling_cluster
from .specs import CallerSpec, EnvoySpec

_Peers = list[k8s.networking.v1.NetworkPolicyPeerArgs]


@dataclass(frozen=True, kw_only=True)
class CallersArgs:
    """The callers of one serving cluster, and what other resources know of them."""

    cluster: str
    """The serving cluster, by the name that callers use for it."""
    callers: Mapping[str, CallerSpec]
    """All who may dial Envoy, by name. Nobody may when empty."""
    namespace: pulumi.Input[str]
    """Where Envoy runs."""
    security_group_ids: Mapping[str, pulumi.Input[str] | None] = field(
        default_factory=dict[str, pulumi.Input[str] | None]
    )
    """Cluster security groups by cluster. Without the serving one's there are no security-group
    rules: the owner of an existing cluster opens Envoy's ports."""
    pod_cidrs: pulumi.Input[Sequence[str]] | None = None
    """Blocks that hold the pods of the other clusters: the network's private subnets."""
    envoy: EnvoySpec = field(default_factory=EnvoySpec)
    """For its ports: clients dial the container itself."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Callers(pulumi.ComponentResource):
    """One ingress rule on the serving cluster's security group for each caller from outside it and
    each of Envoy's two ports, and a NetworkPolicy `envoy-callers` that admits all callers to those
    ports, every pod of the cluster to the metrics port, and nobody to anything else.

    Callers of the same cluster need no security-group rule; other clusters' pods come by their
    cluster's security group, others by `security_group_id` or else `cidr`.

    Raises ValueError for a caller that `rules.callers` refuses: one whose security group or
    addresses are not known, or that says two things at once.
    """

    def __init__(
        self, name: str, args: CallersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        refuse(f"Callers {name}", _mistakes(args))
        super().__init__("grpc-platform:index:Callers", name, {}, for_children_too(opts))
        outside = {
            key: caller for key, caller in args.callers.items() if caller.cluster != args.cluster
        }
        _network_policy(name, args, pulumi.ResourceOptions(parent=self))
        group_id = args.security_group_ids.get(args.cluster)
        ports = {"http": args.envoy.http_port, "https": args.envoy.https_port}
        for key, caller in outside.items():
            source_group = _source_group(args, caller)
            if group_id is not None:
                for protocol, port in ports.items():
                    aws.vpc.SecurityGroupIngressRule(
                        f"{name}-{key}-{protocol}",
                        security_group_id=group_id,
                        description=f"{key} to Envoy, {protocol}",
                        ip_protocol="tcp",
                        from_port=port,
                        to_port=port,
                        referenced_security_group_id=source_group,
                        cidr_ipv4=caller.cidr if source_group is None else None,
                        tags=args.tags,
                        opts=pulumi.ResourceOptions(parent=self),
                    )
        self.register_outputs({})


def _mistakes(args: CallersArgs) -> Iterator[Mistake]:
    pods_known = args.pod_cidrs is not None
    clusters = {
        cluster: group_id is not None and pods_known
        for cluster, group_id in args.security_group_ids.items()
    } | {args.cluster: True}
    for key, caller in args.callers.items():
        path = ("callers", key)
        yield from caller_is_one_source(caller, path)
        yield from calling_cluster(caller, clusters=clusters, serving=[args.cluster], path=path)


def _source_group(args: CallersArgs, caller: CallerSpec) -> pulumi.Input[str] | None:
    """The security group that marks a caller from outside, if one does."""
    if caller.cluster is None:
        # https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
        foreign = caller.account_id is not None and caller.security_group_id is not None
        prefix = f"{caller.account_id}/" if foreign else ""
        return caller.security_group_id and prefix + caller.security_group_id
    return args.security_group_ids[caller.cluster]


def _network_policy(name: str, args: CallersArgs, opts: pulumi.ResourceOptions) -> None:
    peers: list[pulumi.Input[_Peers]] = [_peers(args, caller) for caller in args.callers.values()]
    # In a NetworkPolicy an empty list of peers means everybody, so no caller must mean no rule.
    dialled = [
        k8s.networking.v1.NetworkPolicyIngressRuleArgs(
            from_=pulumi.Output.all(*peers).apply(lambda lists: [p for ps in lists for p in ps]),
            ports=[_tcp(args.envoy.http_port), _tcp(args.envoy.https_port)],
        )
    ]
    scraped = k8s.networking.v1.NetworkPolicyIngressRuleArgs(
        from_=[_pods_of(())], ports=[_tcp(ENVOY_METRICS_PORT)]
    )
    k8s.networking.v1.NetworkPolicy(
        name,
        metadata=pods.metadata("envoy-callers", args.namespace, ENVOY),
        spec=k8s.networking.v1.NetworkPolicySpecArgs(
            pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels=pods.selector(ENVOY)),
            policy_types=["Ingress"],
            ingress=[*(dialled if peers else []), scraped],
        ),
        opts=opts,
    )


def _peers(args: CallersArgs, caller: CallerSpec) -> pulumi.Input[_Peers]:
    if caller.cluster == args.cluster:
        return [_pods_of(caller.namespaces)]
    if caller.cidr is not None:
        return [_addresses(caller.cidr)]
    return pulumi.Output.from_input(args.pod_cidrs or ()).apply(
        lambda cidrs: [_addresses(cidr) for cidr in cidrs]
    )


def _pods_of(namespaces: Sequence[str]) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    """Pods of these namespaces of the policy's own cluster, of all when none is named."""
    selector = k8s.meta.v1.LabelSelectorArgs()
    if namespaces:
        named = k8s.meta.v1.LabelSelectorRequirementArgs(
            key="kubernetes.io/metadata.name", operator="In", values=list(namespaces)
        )
        selector = k8s.meta.v1.LabelSelectorArgs(match_expressions=[named])
    return k8s.networking.v1.NetworkPolicyPeerArgs(namespace_selector=selector)


def _addresses(cidr: str) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        ip_block=k8s.networking.v1.IPBlockArgs(cidr=cidr)
    )


def _tcp(port: int) -> k8s.networking.v1.NetworkPolicyPortArgs:
    return k8s.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=port)
