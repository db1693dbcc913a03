"""Another legal value for a value: what a wrong edit would leave, and nothing would refuse."""

import re

_MEMBERS = (
    # Kubernetes
    ("Recreate", "RollingUpdate"),
    ("Forbid", "Allow"),
    ("Never", "OnFailure"),
    ("ScheduleAnyway", "DoNotSchedule"),
    ("AlwaysAllow", "IfHealthyBudget"),
    ("Max", "Min"),
    ("Percent", "Pods"),
    ("TCP", "UDP"),
    ("Namespaced", "Cluster"),
    ("Prefix", "Exact"),
    ("In", "NotIn"),
    ("Ingress", "Egress"),
    ("NoSchedule", "PreferNoSchedule"),
    ("restricted", "baseline"),
    ("RuntimeDefault", "Unconfined"),
    ("pod-template-hash", "app.kubernetes.io/name"),
    ("0 3 1 */3 *", "0 3 1 1 *"),
    ("kubernetes.io/hostname", "topology.kubernetes.io/region"),
    ("None", ""),
    # AWS
    ("SPOT", "ON_DEMAND"),
    ("required", "optional"),
    ("enabled", "disabled"),
    ("gp3", "gp2"),
    ("tcp", "udp"),
    ("API", "API_AND_CONFIG_MAP"),
    ("ALL", "REJECT"),
    ("NONE", "OVERWRITE"),
    ("Gateway", "Interface"),
    ("vpc", "standard"),
    ("Allow", "Deny"),
    ("cluster", "namespace"),
    ("true", "false"),
    ("elb", "internal-elb"),
    # Contour, external-dns, gRPC
    ("v4", "v6"),
    ("infinity", "15s"),
    ("envoy", "json"),
    ("--policy=upsert-only", "--policy=sync"),
    ("--registry=txt", "--registry=noop"),
    ("--provider=aws", "--provider=inmemory"),
    ("--source=service", "--source=ingress"),
    ("--service-type-filter=ClusterIP", "--service-type-filter=LoadBalancer"),
    ("--managed-record-types=A", "--managed-record-types=AAAA"),
    ("--secrets-format=compact", "--secrets-format=legacy"),
    ("--dns-lookup-family=v4", "--dns-lookup-family=v6"),
    ("--xds-address=0.0.0.0", "--xds-address=127.0.0.1"),
)
_OTHER = {b: a for a, b in _MEMBERS if b} | dict(_MEMBERS)

_AMOUNT = re.compile(r"((?:--[\w-]+=)?)(\d+)(ms|s|m|h|d|Ki|Mi|Gi|%)")


def other(value: object) -> object | None:
    """Another legal value, or None if none is known."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 2 or 1
    if not isinstance(value, str):
        return None
    if amount := _AMOUNT.fullmatch(value):
        flag, number, unit = amount.groups()
        return f"{flag}{int(number) * 2 or 1}{unit}"
    return _OTHER.get(value)
