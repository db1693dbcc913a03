"""The rules for a network."""

from collections.abc import Iterator

from ..specs import ContourSpec, EnvoySpec, ExternalDnsSpec, NetworkSpec
from ..specs.network import required_interface_endpoints
from .mistake import Mistake, Path

_OTHER_PARTITIONS = ("cn-", "eusc-", "us-iso", "eu-iso")


def new_network(spec: NetworkSpec, path: Path = ()) -> Iterator[Mistake]:
    """A new VPC."""
    if len(spec.zones) < 2:
        yield Mistake((*path, "zones"), list(spec.zones), "EKS needs at least 2 availability zones")
    for index, zone in enumerate(spec.zones):
        yield from supported_region(zone, (*path, "zones", index))
    endpoints = (*path, "interface_endpoints")
    given = sorted(spec.interface_endpoints)
    if "route53" in given and any(zone.startswith("us-gov-") for zone in spec.zones):
        # https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-cross-region-privatelink-support.html
        remedy = (
            "route53's API is in us-east-1, which GovCloud cannot reach; remove it, and keep NAT"
        )
        yield Mistake(endpoints, given, remedy)


def supported_region(region: str, path: Path) -> Iterator[Mistake]:
    """A region, or a zone of it, must be in a partition that this platform supports.

    In other partitions endpoint names differ from service to service
    (https://docs.amazonaws.cn/en_us/vpc/latest/privatelink/aws-services-cross-region-privatelink-support.html),
    Route53 is separate, and this platform has never been tried there.
    """
    if region.startswith(_OTHER_PARTITIONS):
        remedy = (
            "is in an AWS partition that is not supported: Route53 and endpoint names "
            "differ there; choose a commercial or GovCloud region"
        )
        yield Mistake(path, region, remedy)


def way_out(
    network: NetworkSpec,
    contour: ContourSpec,
    envoy: EnvoySpec,
    external_dns: ExternalDnsSpec,
    path: Path = (),
) -> Iterator[Mistake]:
    """Without NAT, nodes and pods in a new VPC need endpoints, and images that do not come from a
    public registry, unless the program gives the VPC another route out."""
    if network.nat != "none":
        return
    given = sorted(network.interface_endpoints)
    if missing := [name for name in required_interface_endpoints() if name not in given]:
        remedy = f"without NAT the nodes also need {', '.join(missing)}"
        yield Mistake((*path, "interface_endpoints"), given, remedy)
    for section, spec in {"contour": contour, "envoy": envoy, "external_dns": external_dns}.items():
        if spec.image is None:
            remedy = "is required without NAT: a copy in ECR (network.nat)"
            yield Mistake((section, "image"), None, remedy)
