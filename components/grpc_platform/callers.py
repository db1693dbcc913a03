"""Who may reach Envoy's pods: security-group rules outside the cluster, a NetworkPolicy inside.

Both are needed. All pods of an EKS cluster share its cluster security group, which admits all
traffic from itself, so only a NetworkPolicy can distinguish the cluster's own pods. Callers from
elsewhere must pass the security group first. These sources can still connect:

- Processes on the node of an Envoy pod, host-network pods among them: a NetworkPolicy cannot refuse
  a pod's own node, because probes come from there
  (https://kubernetes.io/docs/concepts/services-networking/network-policies/#what-you-can-t-do-with-network-policies-at-least-not-yet).
- Every pod and node of both clusters, if another cluster of the network is a caller: a
  NetworkPolicy knows other clusters' pods by address only, and clusters share their subnets. The
  security group still stops everything else in those subnets.
- Every member of a caller's security group with an address in the caller's block. Any pod of the
  serving cluster with such an address: it only needs to pass the NetworkPolicy.
- Anyone, to a new Envoy pod in its first seconds: vpc-cni admits everything until it has set up the
  policy (https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html,
  standard mode).
- All pods of a cluster that does not enforce network policies: an existing cluster whose CNI does
  not, or EKS Auto Mode without the ConfigMap of
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
from .inputs import checked, known
from .monitoring.scrapers import Scraper, scraped, scraper_rules
from .network_policy import addresses, admit_only, pods_of, tcp
from .options import for_children_too
from .rules import Mistake, refuse
from .rules.callers import caller_is_one_source, calling_cluster
from .rules.scrapers import scraper_is_one_source
from .specs import EnvoySpec
from .specs.base import Cidr, Label

_Peers = list[k8s.networking.v1.NetworkPolicyPeerArgs]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """One source allowed to dial Envoy. Give `cluster`, or `cidr` with or without
    `security_group_id`."""

    cluster: str | None = None
    """A cluster of `GrpcIngressArgs.clusters`, by name; the serving cluster itself for callers that
    run beside the services."""
    namespaces: Sequence[pulumi.Input[str]] = ()
    """Only these namespaces, if `cluster` is the serving cluster; all when empty."""
    security_group_id: pulumi.Input[str] | None = None
    """A security group of the callers' network interfaces, in this VPC or one peered with it."""
    account_id: pulumi.Input[str] | None = None
    """The security group's account, if it is not this one."""
    cidr: pulumi.Input[str] | None = None
    """The callers' addresses: NetworkPolicy identifies callers outside the cluster by address
    only."""


@dataclass(frozen=True, kw_only=True)
class CallersArgs:
    """The callers of one serving cluster, and the values from other resources that identify
    them."""

    cluster: str
    """The serving cluster, by the name that callers use for it."""
    callers: Mapping[str, Caller]
    """The sources that may dial Envoy, by name. When empty, none may."""
    namespace: pulumi.Input[str]
    """Where Envoy runs."""
    security_group_ids: Mapping[str, pulumi.Input[str] | None] = field(
        default_factory=dict[str, pulumi.Input[str] | None]
    )
    """Cluster security groups by cluster. Without the serving cluster's group no security-group
    rules are made: the owner of an existing cluster opens Envoy's ports."""
    pod_cidrs: pulumi.Input[Sequence[str]] | None = None
    """Blocks that contain the other clusters' pods: the network's private subnets."""
    scrapers: Mapping[str, Scraper] = field(default_factory=dict[str, Scraper])
    """The sources that may read metrics, by name. When empty, every pod of the cluster may."""
    envoy: EnvoySpec = field(default_factory=EnvoySpec)
    """Gives Envoy's ports: clients dial the container itself."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Callers(pulumi.ComponentResource):
    """Creates one ingress rule on the serving cluster's security group for each source outside the
    cluster and each of Envoy's two ports, and for each scraper outside and each metrics port.
    Creates a NetworkPolicy `envoy-callers` that admits all callers to Envoy's ports, the scrapers
    to its metrics, and nothing else.

    Callers in the serving cluster need no security-group rule. Another cluster's pods are admitted
    by that cluster's security group, other callers by `security_group_id`, or by `cidr` without
    one. Callers that share a source share its rules: AWS refuses a duplicate rule.

    Raises ValueError for a caller that `rules.callers` refuses: one with an unknown security group
    or addresses, or with contradictory fields. Also for an invalid block or namespace.
    """

    def __init__(
        self, name: str, args: CallersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        refuse(f"Callers {name}", _mistakes(args))
        super().__init__("grpc-platform:index:Callers", name, {}, for_children_too(opts))
        _network_policy(name, args, pulumi.ResourceOptions(parent=self))
        sources: dict[str, _Source] = {}
        for key, caller in args.callers.items():
            if caller.cluster != args.cluster:
                source = _source(args, key, caller)
                sources.setdefault(source.name, source).callers.append(key)
        group_id = args.security_group_ids.get(args.cluster)
        if group_id is not None:
            for source in sources.values():
                _rules(name, args, group_id, source, self)
            scraper_rules(name, args.scrapers, group_id, args.tags, self)
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
    for key, scraper in args.scrapers.items():
        yield from scraper_is_one_source(scraper, ("scrapers", key))


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A source of calls as a security-group rule names it: another group, or a block."""

    name: str
    """The source's content if all of it is plain, so that a renamed caller keeps its rules."""
    group: pulumi.Input[str] | None = None
    cidr: pulumi.Input[str] | None = None
    callers: list[str] = field(default_factory=list[str])


def _source(args: CallersArgs, key: str, caller: Caller) -> _Source:
    # No cluster, security group or block has such a name.
    otherwise = f"{key}.caller"
    if caller.cluster is not None:
        return _Source(name=caller.cluster, group=args.security_group_ids[caller.cluster])
    group = caller.security_group_id
    if group is None:
        plain = isinstance(caller.cidr, str)
        return _Source(name=str(caller.cidr) if plain else otherwise, cidr=caller.cidr)
    if caller.account_id is not None:
        # https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
        group = known(lambda account, group: f"{account}/{group}", caller.account_id, group)
    return _Source(name=group if isinstance(group, str) else otherwise, group=group)


def _rules(
    name: str,
    args: CallersArgs,
    group_id: pulumi.Input[str],
    source: _Source,
    parent: pulumi.Resource,
) -> None:
    for protocol, port in (("http", args.envoy.http_port), ("https", args.envoy.https_port)):
        former = [pulumi.Alias(name=f"{name}-{key}-{protocol}") for key in source.callers]
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-{source.name}-{port}",
            security_group_id=group_id,
            description=f"{', '.join(source.callers)} to Envoy, {protocol}",
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            referenced_security_group_id=source.group,
            cidr_ipv4=source.cidr,
            tags=args.tags,
            # Release 0.1 named it after the caller.
            opts=pulumi.ResourceOptions(parent=parent, aliases=former),
        )


def _network_policy(name: str, args: CallersArgs, opts: pulumi.ResourceOptions) -> None:
    peers: list[pulumi.Input[_Peers]] = [
        _peers(args, key, caller) for key, caller in args.callers.items()
    ]
    # In a NetworkPolicy an empty list of peers admits everyone, so without callers there is no
    # rule.
    dialled = [
        k8s.networking.v1.NetworkPolicyIngressRuleArgs(
            from_=pulumi.Output.all(*peers).apply(lambda lists: [p for ps in lists for p in ps]),
            ports=[tcp(args.envoy.http_port), tcp(args.envoy.https_port)],
        )
    ]
    admit_only(
        name,
        pods.metadata("envoy-callers", args.namespace, ENVOY),
        ENVOY,
        [*(dialled if peers else []), scraped(args.scrapers, ENVOY_METRICS_PORT)],
        opts,
    )


def _peers(args: CallersArgs, key: str, caller: Caller) -> pulumi.Input[_Peers]:
    who = f"Callers: {key}"
    if caller.cluster == args.cluster:
        return [pods_of([checked(who, "namespaces", Label, each) for each in caller.namespaces])]
    if caller.cidr is not None:
        return [addresses(checked(who, "cidr", Cidr, caller.cidr))]
    return pulumi.Output.from_input(args.pod_cidrs or ()).apply(
        lambda cidrs: [addresses(cidr) for cidr in cidrs]
    )
