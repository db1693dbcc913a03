"""The program gets the engine's answers, and its resources get the engine's names."""

from typing import Any

import pulumi
import pytest
from pulumi import Alias, Output, ResourceOptions
from pulumi_aws import Provider as AwsProvider
from pulumi_aws import (
    get_availability_zones_output,
    get_partition_output,
    get_region_output,
    kms,
    route53,
)
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.yaml import ConfigGroup

from grpc_platform_tools.graph import SECRET, Graph
from grpc_platform_tools.preview.fixtures import Computed, Fixtures, LookUp
from grpc_platform_tools.preview.outline import outline
from grpc_platform_tools.preview.record import record
from grpc_platform_tools.preview.topology import topology
from tests.tools.preview.toys import Group, inside, refusal, zone

pytestmark = [
    pytest.mark.usefixtures("stopped_programs"),
    pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning"),
]


def test_urns_name_every_parent_type_as_the_engine_does() -> None:
    def program() -> None:
        inner = Group("inner", inside(Group("outer", kind="Outer")), kind="Inner")
        zone("zone", inside(inner))

    graph = record(program, project="shop", stack="prod")
    assert {r.urn for r in graph} == {
        "urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod",
        "urn:pulumi:prod::shop::test:index:Outer::outer",
        "urn:pulumi:prod::shop::test:index:Outer$test:index:Inner::inner",
        "urn:pulumi:prod::shop::test:index:Outer$test:index:Inner$aws:route53/zone:Zone::zone",
    }


def test_one_urn_registered_twice_is_refused() -> None:
    def program() -> None:
        group = Group("group")
        zone("zone", inside(group))
        zone("zone", inside(group))

    urn = "urn:pulumi:test::grpc-platform::test:index:Group$aws:route53/zone:Zone::zone"
    assert refusal(program) == [f"{urn}: registered 2 times"]


def test_one_name_for_two_types_is_not_a_duplicate() -> None:
    def program() -> None:
        group = Group("same")
        zone("same", inside(group))

    assert len(record(program)) == 3


def test_a_look_up_without_a_fixture_is_refused_by_name() -> None:
    def program() -> None:
        found = get_availability_zones_output(state="available")
        zone("zone", inside(Group("group")), comment=found.id)

    problems = refusal(program)
    assert any(
        p == "aws:index/getAvailabilityZones:getAvailabilityZones(state: available): no answer; "
        "give one under lookups in preview-fixtures.yaml"
        for p in problems
    )


def test_a_look_up_without_an_answer_shows_no_values_but_those_that_tell_it_apart() -> None:
    def program() -> None:
        arguments = {"tags": {"a": "b"}, "id": "vpc-1", "name": "a\nb"}
        arguments |= {"state": "x" * 99, "yaml": "kind: Secret"}
        pulumi.export("found", pulumi.runtime.invoke_output("a:b:c", arguments))

    assert refusal(program) == [
        "a:b:c(id: vpc-1, name, state, tags, yaml): no answer; "
        "give one under lookups in preview-fixtures.yaml"
    ]


def test_the_objects_of_a_yaml_text_are_those_that_the_provider_would_make() -> None:
    text = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a, namespace: n}\n---\n"

    def program() -> None:
        ConfigGroup("group", yaml=[text])

    made = record(program).only("kubernetes:core/v1:ConfigMap")
    assert made.inputs["metadata"] == {"name": "a", "namespace": "n"}


def test_children_inherit_the_provider_given_to_their_component() -> None:
    def program() -> None:
        provider = Provider("cluster", opts=inside(Group("clusters")))
        group = Group("group", ResourceOptions(providers=[provider]))
        Namespace("namespace", metadata={"name": "n"}, opts=inside(Group("deep", inside(group))))

    graph = record(program)
    provider = graph.only("pulumi:providers:kubernetes")
    assert graph.only("kubernetes:core/v1:Namespace").provider == provider.urn


def renamed() -> Graph:
    """A component once called `old`, and its child."""

    def program() -> None:
        group = Group("new", ResourceOptions(aliases=[Alias(name="old")]))
        zone("new-zone", inside(group))
        zone("other", inside(group, aliases=[Alias(name="former")]))

    return record(program, project="shop", stack="prod")


def test_aliases_are_urns_of_what_a_resource_was_before() -> None:
    component = renamed().only("test:index:Group")
    assert component.aliases == ("urn:pulumi:prod::shop::test:index:Group::old",)


def test_a_child_inherits_its_parents_aliases_as_in_the_engine() -> None:
    graph, prefix = renamed(), "urn:pulumi:prod::shop::test:index:Group$aws:route53/zone:Zone::"
    assert graph.only("aws:route53/zone:Zone", "new-zone").aliases == (f"{prefix}old-zone",)
    assert set(graph.only("aws:route53/zone:Zone", "other").aliases) == {
        f"{prefix}former",
        f"{prefix}other",
    }


def test_a_reparented_resource_keeps_the_urn_it_had_under_the_other_parent() -> None:
    def program() -> None:
        old, new = Group("old", kind="Old"), Group("new", kind="New")
        zone("zone", inside(new, aliases=[Alias(parent=old)]))
        zone("rooted", inside(new, aliases=[Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))

    graph, prefix = record(program), "urn:pulumi:test::grpc-platform::"
    assert graph.only("aws:route53/zone:Zone", "zone").aliases == (
        f"{prefix}test:index:Old$aws:route53/zone:Zone::zone",
    )
    assert graph.only("aws:route53/zone:Zone", "rooted").aliases == (
        f"{prefix}aws:route53/zone:Zone::rooted",
    )


def test_options_that_change_an_update_are_kept() -> None:
    def program() -> None:
        options = {"protect": True, "ignore_changes": ["comment"], "retain_on_delete": True}
        timeouts = pulumi.CustomTimeouts(create="20m", delete="1h")
        zone("zone", inside(Group("group"), custom_timeouts=timeouts, **options))

    assert record(program).only("aws:route53/zone:Zone").options == {
        "protect": True,
        "ignore_changes": ["comment"],
        "retain_on_delete": True,
        "custom_timeouts": {"create": "20m", "delete": "1h"},
    }


def test_a_trigger_of_replacement_is_kept_with_the_other_options() -> None:
    def program() -> None:
        group = Group("group")
        zone("open", inside(group, replacement_trigger={"version": 2}))
        zone("hidden", inside(group, replacement_trigger=Output.secret("hunter2")))

    graph = record(program)
    options = [graph.only("aws:route53/zone:Zone", name).options for name in ("open", "hidden")]
    assert options == [
        {"replacement_trigger": {"version": 2}},
        {"replacement_trigger": SECRET},
    ]


class Remote(pulumi.ComponentResource):
    """A component that a provider makes, as helm.v4.Chart."""

    address: Output[str]

    def __init__(self, name: str, opts: ResourceOptions | None = None) -> None:
        props = {"chart": "nginx", "address": None}
        super().__init__("test:index:Remote", name, props, opts, remote=True)


def test_a_component_that_a_provider_makes_is_a_resource_with_inputs() -> None:
    def program() -> None:
        chart = Remote("chart")
        zone("zone", inside(chart, depends_on=[chart]), comment=chart.address)

    made = Computed(type="test:index:Remote", outputs={"address": "10.0.0.1"})
    graph = record(program, fixtures=Fixtures(computed=(made,)))
    chart, child = graph.only("test:index:Remote"), graph.only("aws:route53/zone:Zone")
    assert (chart.options, chart.is_component) == ({"remote": True}, False)
    assert chart.inputs == {"chart": "nginx"}
    assert (child.parent, child.inputs["comment"]) == (chart.urn, "10.0.0.1")
    stack = outline(graph)
    assert (stack.inner, stack.count) == ((), 2)
    assert topology(graph, []) == "flowchart LR\n"


def test_a_resource_that_is_only_read_can_be_used_and_be_a_parent_but_is_not_recorded() -> None:
    def program() -> None:
        group = Group("group")
        read = route53.Zone.get("existing", "Z123", opts=inside(group))
        inner = route53.Zone.get("inner", "Z456", opts=inside(read))
        zone("zone", inside(inner), comment=read.id)

    graph = record(program)
    made = graph.only("aws:route53/zone:Zone")
    assert made.inputs["comment"] == "Z123"
    assert made.parent == graph.only("test:index:Group").urn
    assert made.urn.split("::")[2].count("$") == 3
    assert outline(graph).count == 1


def test_transforms_do_not_run_and_that_is_a_warning() -> None:
    def program() -> None:
        pulumi.runtime.register_resource_transform(lambda _: None)
        zone("zone", inside(Group("group")))

    assert record(program).warnings == (
        "transforms are registered, but do not run here: their changes do not show",
    )


def test_a_stack_reference_reads_the_exports_given_and_no_others() -> None:
    def program() -> None:
        other = pulumi.StackReference("organization/shop/prod")
        zone("zone", inside(Group("group")), comment=other.require_output("zone_id"))

    graph = record(program, fixtures=Fixtures(stacks={"organization/shop/prod": {"zone_id": "Z1"}}))
    assert graph.only("aws:route53/zone:Zone").inputs["comment"] == "Z1"
    assert refusal(program) == [
        "stack organization/shop/prod: outputs not known; "
        "give them under stacks in preview-fixtures.yaml"
    ]


def test_a_secret_output_of_another_stack_stays_one() -> None:
    def program() -> None:
        other = pulumi.StackReference("organization/shop/prod")
        zone("zone", inside(Group("group")), comment=other.require_output("token"))

    outputs = {"token": SECRET, "plain": "x"}
    graph = record(program, fixtures=Fixtures(stacks={"organization/shop/prod": outputs}))
    assert graph.only("aws:route53/zone:Zone").secret_paths == ("inputs.comment",)


def test_a_look_up_is_answered_by_the_first_fixture_whose_arguments_it_has() -> None:
    def program() -> None:
        found = get_availability_zones_output(state="available", exclude_names=["c"])
        zone("zone", inside(Group("group")), comment=found.names[0])

    function = "aws:index/getAvailabilityZones:getAvailabilityZones"
    answers: list[tuple[dict[str, Any], str]] = [
        ({"state": "impaired"}, "no"),
        ({"state": "available"}, "yes"),
        ({}, "late"),
    ]
    fixtures = Fixtures(
        lookups=tuple(
            LookUp(function=function, arguments=arguments, result={"names": [name]})
            for arguments, name in answers
        )
    )
    graph = record(program, fixtures=fixtures)
    assert graph.only("aws:route53/zone:Zone").inputs["comment"] == "yes"


def test_computed_outputs_can_be_given_by_type_and_by_name() -> None:
    def program() -> None:
        group = Group("group")
        first, second = zone("first", inside(group)), zone("second", inside(group))
        zone("third", inside(group), comment=first.primary_name_server)
        zone("fourth", inside(group), comment=Output.concat(second.primary_name_server, second.id))

    token = "aws:route53/zone:Zone"
    fixtures = Fixtures(
        computed=(
            Computed(type=token, name="second", outputs={"primaryNameServer": "two", "id": "Z2"}),
            Computed(type=token, outputs={"primaryNameServer": "any"}),
        )
    )
    graph = record(program, fixtures=fixtures)
    assert graph.only(token, "third").inputs["comment"] == "any"
    assert graph.only(token, "fourth").inputs["comment"] == "twoZ2"


def test_what_carries_a_dependency_is_recorded_by_input() -> None:
    def program() -> None:
        group = Group("group")
        first = zone("first", inside(group))
        zone("second", inside(group, depends_on=[zone("third", inside(group))]), comment=first.name)

    second = record(program).only("aws:route53/zone:Zone", "second")
    assert {
        k: [u.rpartition("::")[2] for u in v] for k, v in second.property_dependencies.items()
    } == {"comment": ["first"]}


def where() -> None:
    """Exports what a program can ask of its place."""
    elsewhere = AwsProvider("elsewhere", region="eu-west-3")
    there = pulumi.InvokeOptions(provider=elsewhere)
    pulumi.export("here", get_region_output().region)
    pulumi.export("there", get_region_output(opts=there).region)
    pulumi.export("asked", get_region_output(region="eu-north-1").region)
    pulumi.export("partition", get_partition_output().partition)
    pulumi.export("key", kms.Key("key").arn)
    pulumi.export("far", kms.Key("far", opts=ResourceOptions(provider=elsewhere)).arn)


def test_the_region_is_that_of_the_stack_or_of_the_provider_that_is_asked() -> None:
    assert record(where, config={"aws:region": "cn-north-1"}).exports == {
        "here": "cn-north-1",
        "there": "eu-west-3",
        "asked": "eu-north-1",
        "partition": "aws-cn",
        "key": "arn:aws-cn:kms:cn-north-1:000000000000:key/key",
        "far": "arn:aws:kms:eu-west-3:000000000000:key/far",
    }


def test_a_region_that_the_stack_does_not_name_is_refused_by_the_look_up() -> None:
    function = "aws:index/getRegion:getRegion"
    assert refusal(where, config={}) == [
        f"{function}: the stack names no region; give aws:region in its file, or an answer under "
        "lookups in preview-fixtures.yaml"
    ]
    given = LookUp(function=function, result={"region": "eu-west-2"})
    assert (
        record(where, config={}, fixtures=Fixtures(lookups=(given,))).exports["here"] == "eu-west-2"
    )
