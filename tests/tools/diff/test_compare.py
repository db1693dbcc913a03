"""What an engine would do, when inputs alone do not determine it."""

from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest
from pulumi import Alias, ResourceOptions

from grpc_platform_tools.diff.compare import compare
from grpc_platform_tools.diff.recordings import Recording
from grpc_platform_tools.diff.refusals import PROTECTED
from grpc_platform_tools.diff.report import ResourceChange, StackDiff
from grpc_platform_tools.preview.record import record


def recording(program: Any, **config: Any) -> Recording:
    values = {key.replace("_", ":", 1): value for key, value in config.items()}
    return Recording(graph=record(program, mark_key=b"key"), config=values)


def diff(old: Recording, new: Recording) -> StackDiff:
    return compare("dev", old, new)


def operations(found: StackDiff) -> dict[str, str]:
    return {change.urn.rpartition("::")[2]: change.operation for change in found.resources}


def change(found: StackDiff, name: str) -> ResourceChange:
    return next(c for c in found.resources if c.urn.endswith(f"::{name}"))


def regional() -> None:
    aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
    aws.iam.Role("role", assume_role_policy="{}")


def test_another_region_replaces_what_is_regional_though_no_input_says_so() -> None:
    old, new = recording(regional, aws_region="eu-west-1"), recording(regional, aws_region="eu-x-2")
    found = diff(old, new)
    assert operations(found) == {"vpc": "replace"}  # IAM has no regions
    assert change(found, "vpc").forced_by == ("region",)


def in_cluster(provider: str, server: str, *aliases: str) -> Any:
    def program() -> None:
        kubeconfig = (
            f'{{"clusters": [{{"name": "c", "cluster": {{"server": "{server}"}}}}],'
            '"contexts": [{"name": "c", "context": {"cluster": "c"}}], "current-context": "c"}'
        )
        cluster = k8s.Provider(
            provider,
            kubeconfig=kubeconfig,
            opts=ResourceOptions(aliases=[Alias(name=name) for name in aliases]),
        )
        k8s.core.v1.Namespace(
            "edge", metadata={"name": "edge"}, opts=ResourceOptions(provider=cluster)
        )

    return program


def test_another_provider_of_the_same_cluster_replaces_nothing() -> None:
    found = diff(recording(in_cluster("a", "https://x")), recording(in_cluster("b", "https://x")))
    assert "edge" not in operations(found)


def test_a_provider_of_another_cluster_replaces_all_that_it_made() -> None:
    found = diff(recording(in_cluster("a", "https://x")), recording(in_cluster("b", "https://y")))
    assert operations(found)["edge"] == "replace"
    assert change(found, "edge").forced_by == ("provider",)


def test_a_provider_that_is_replaced_replaces_all_that_it_made() -> None:
    found = diff(recording(in_cluster("a", "https://x")), recording(in_cluster("a", "https://y")))
    assert operations(found) == {"a": "replace", "edge": "replace"}
    assert change(found, "edge").because == (change(found, "a").urn,)


def test_a_renamed_provider_with_an_alias_is_the_same() -> None:
    old, new = in_cluster("a", "https://x"), in_cluster("b", "https://x", "a")
    assert operations(diff(recording(old), recording(new))) == {"b": "rename"}


def secret(value: str) -> Any:
    def program() -> None:
        aws.route53.Zone("zone", name="a.example", comment=pulumi.Output.secret(value))

    return program


def test_a_secret_that_changed_is_told_from_one_that_did_not() -> None:
    old = recording(secret("swordfish"))
    assert not diff(old, recording(secret("swordfish"))).changed
    (only,) = change(diff(old, recording(secret("perch"))), "zone").properties
    assert (only.path, only.hidden, only.old, only.new) == ("comment", True, None, None)


def made_of(first: str, by: str) -> Any:
    """A subnet in a VPC, and a policy document that names the VPC but is not replaced with it."""

    def program() -> None:
        vpc = aws.ec2.Vpc("vpc", cidr_block=first)
        subnet = aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.0.1.0/24")
        aws.ec2.RouteTableAssociation("way", subnet_id=subnet.id, route_table_id="rtb-1")
        aws.route53.Zone("zone", name="a.example", comment=vpc.id.apply(lambda i: f"{i} {by}"))

    return program


def test_a_replacement_reaches_what_is_made_from_it_and_from_that() -> None:
    found = diff(recording(made_of("10.0.0.0/16", "x")), recording(made_of("10.8.0.0/16", "x")))
    assert operations(found) == {"vpc": "replace", "subnet": "replace", "way": "replace"}
    assert change(found, "way").because == (change(found, "subnet").urn,)
    assert change(found, "way").forced_by == ("subnetId",)


def moved(name: str) -> Any:
    return lambda: aws.route53.Zone(name, name="a.example")


def test_one_thing_under_another_urn_without_an_alias_is_noticed() -> None:
    found = diff(recording(moved("one")), recording(moved("two")))
    assert operations(found) == {"one": "delete", "two": "create"}
    assert change(found, "one").moved == change(found, "two").urn
    assert change(found, "two").moved == change(found, "one").urn


@pytest.mark.parametrize(
    ("ignored", "expected"),
    [("comment", {}), ("forceDestroy", {"zone": "change"}), ("tags", {"zone": "change"})],
)
def test_what_the_program_has_the_engine_ignore_is_no_change(
    ignored: str, expected: dict[str, str]
) -> None:
    def program(comment: str) -> Any:
        opts = ResourceOptions(ignore_changes=[ignored])
        return lambda: aws.route53.Zone("zone", name="a.example", comment=comment, opts=opts)

    assert operations(diff(recording(program("one")), recording(program("two")))) == expected


def test_a_secret_output_that_changed_is_told() -> None:
    def program(value: str) -> Any:
        return lambda: pulumi.export("token", pulumi.Output.secret(value))

    old = recording(program("swordfish"))
    assert not diff(old, recording(program("swordfish"))).outputs
    (only,) = diff(old, recording(program("perch"))).outputs
    assert (only.path, only.hidden) == ("token", True)


def test_a_secret_that_became_plain_is_told_from_one_that_changed() -> None:
    def plainly() -> None:
        aws.route53.Zone("zone", name="a.example", comment="x")

    secret_one, plain = recording(secret("x")), recording(plainly)
    assert [p.kind for p in change(diff(secret_one, plain), "zone").properties] == ["revealed"]
    assert [p.kind for p in change(diff(plain, secret_one), "zone").properties] == ["concealed"]


KUBECONFIG = (
    '{"clusters": [{"name": "c", "cluster": {"server": "https://%s"}}],'
    '"contexts": [{"name": "c", "context": {"cluster": "c"}}], "current-context": "c"}'
)


def test_another_cluster_of_the_default_provider_replaces_all_that_is_in_it() -> None:
    def program() -> None:
        k8s.core.v1.Namespace("edge", metadata={"name": "edge"})

    old = recording(program, kubernetes_kubeconfig=KUBECONFIG % "x")
    assert not diff(old, recording(program, kubernetes_kubeconfig=KUBECONFIG % "x")).resources
    found = diff(old, recording(program, kubernetes_kubeconfig=KUBECONFIG % "y"))
    assert operations(found) == {"edge": "replace"}


def group_and_user(cidr: str, provider: dict[str, Any], options: dict[str, Any]) -> Any:
    """A ConfigMap and a Deployment with the id of a security group in a VPC."""

    def program() -> None:
        vpc = aws.ec2.Vpc("vpc", cidr_block=cidr)
        group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id)
        cluster = k8s.Provider("cluster", kubeconfig=KUBECONFIG % "x", **provider)
        inside = ResourceOptions(provider=cluster)
        k8s.core.v1.ConfigMap(
            "map", metadata={"name": "map"}, data={"group": group.id}, opts=inside
        )
        aws.ec2.Subnet(
            "subnet", vpc_id=vpc.id, cidr_block="10.0.1.0/24", opts=ResourceOptions(**options)
        )

    return program


@pytest.mark.parametrize(
    ("provider", "options", "expected"),
    [
        ({}, {}, {"vpc", "group", "map", "subnet"}),
        ({"enable_config_map_mutable": True}, {}, {"vpc", "group", "subnet"}),
        ({}, {"ignore_changes": ["vpcId"]}, {"vpc", "group", "map"}),
    ],
)
def test_what_follows_heeds_options_and_provider(
    provider: dict[str, Any], options: dict[str, Any], expected: set[str]
) -> None:
    old, new = (
        recording(group_and_user(cidr, provider, options))
        for cidr in ("10.0.0.0/16", "10.8.0.0/16")
    )
    found = operations(diff(old, new))
    assert {name for name, operation in found.items() if operation == "replace"} == expected


def test_what_is_asked_to_be_replaced_is_replaced_with_what_it_uses() -> None:
    def program(cidr: str) -> Any:
        def run() -> None:
            vpc = aws.ec2.Vpc("vpc", cidr_block=cidr)
            opts = ResourceOptions(replace_on_changes=["comment"])
            aws.route53.Zone("zone", name="a.example", comment=vpc.id, opts=opts)

        return run

    found = diff(recording(program("10.0.0.0/16")), recording(program("10.8.0.0/16")))
    assert operations(found) == {"vpc": "replace", "zone": "replace"}


def protected(name: str) -> Any:
    opts = ResourceOptions(protect=True)
    return lambda: aws.iam.Role("role", name=name, assume_role_policy="{}", opts=opts)


def test_a_replacement_of_what_is_protected_is_said_to_be_refused() -> None:
    found = diff(recording(protected("one")), recording(protected("two")))
    assert change(found, "role").refused == PROTECTED
    assert change(found, "role").loses == "what the program protects"


def eks(version: str, role: str = "role") -> Any:
    return lambda: aws.eks.Cluster(
        "c", name="c", role_arn=role, version=version, vpc_config={"subnet_ids": ["subnet-1"]}
    )


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        ("1.34", "1.35", ""),
        ("1.33", "1.35", "EKS upgrades one Kubernetes minor at a time: go from 1.33 to 1.34 first"),
        ("1.35", "1.33", "EKS does not go back from Kubernetes 1.35 to 1.33"),
        (
            "1.35",
            "1.34",
            "EKS goes back to Kubernetes 1.34 within 7 days, but not by pulumi up: roll back "
            "nodes, add-ons and control plane as docs/upgrades.md says",
        ),
    ],
)
def test_a_minor_that_eks_refuses_is_said_to_be_refused(old: str, new: str, refused: str) -> None:
    found = change(diff(recording(eks(old)), recording(eks(new))), "c")
    assert (found.operation, found.refused) == ("change", refused)
    again = change(diff(recording(eks(old)), recording(eks(new, "other"))), "c")
    assert (again.operation, again.refused) == ("replace", "")  # made in the new version at once


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        # Secret, or a file: the cluster may be another one.
        ({"kubeconfig": "/a"}, {"kubeconfig": "/b"}, "may be replaced"),
        ({"secret": KUBECONFIG % "x"}, {"secret": KUBECONFIG % "y"}, "may be replaced"),
        ({"kubeconfig": KUBECONFIG % "x"}, {"kubeconfig": KUBECONFIG % "y"}, "if the cluster is"),
        ({"kubeconfig": KUBECONFIG % "x"}, {"kubeconfig": f"{KUBECONFIG % 'x'} "}, ""),
        ({"kubeconfig": "/a", "namespace": "a"}, {"kubeconfig": "/a", "namespace": "b"}, ""),
    ],
)
@pytest.mark.parametrize("identifier", [None, "one"])
def test_a_kubeconfig_that_changes_without_an_identifier_may_replace_everything(
    old: dict[str, Any], new: dict[str, Any], note: str, identifier: str | None
) -> None:
    def program(kubeconfig: Any = None, secret: Any = None, namespace: Any = None) -> None:
        hidden = pulumi.Output.secret(secret) if secret else kubeconfig
        k8s.Provider(
            "cluster", cluster_identifier=identifier, kubeconfig=hidden, namespace=namespace
        )

    sides = [recording(partial(program, **given)) for given in (old, new)]
    found = change(diff(*sides), "cluster")
    said = note if identifier is None else ""
    assert [n[: len(said)] for n in found.notes] == ([said] if said else [])


def test_a_list_of_secrets_is_secret() -> None:
    def program(word: str) -> Any:
        item: Any = {"metadata": {"name": "s"}, "stringData": {"password": word}}
        return lambda: k8s.core.v1.SecretList("all", items=[item])

    found = diff(recording(program("swordfish-one")), recording(program("swordfish-two")))
    assert change(found, "all").properties
    assert "swordfish" not in str(found)
    assert "swordfish" not in str(diff(recording(lambda: None), recording(program("swordfish"))))
