"""What a recording guarantees: the engine's names and order, and nothing unsound in silence."""

import gc
import weakref
from collections.abc import Callable

import pulumi
import pytest
from pulumi import Alias, Output, ResourceOptions
from pulumi.runtime.rpc import UNKNOWN
from pulumi_aws import get_availability_zones_output, route53
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace
from pulumi_kubernetes.yaml import ConfigGroup

from grpc_platform_tools.graph import SECRET, Graph
from grpc_platform_tools.preview.fixtures import Computed, Fixtures, LookUp
from grpc_platform_tools.preview.outline import outline
from grpc_platform_tools.preview.record import ProgramError, record
from grpc_platform_tools.preview.topology import topology

pytestmark = [
    pytest.mark.usefixtures("stopped_programs"),
    pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning"),
]


class Group(pulumi.ComponentResource):
    """A component of a test."""

    def __init__(self, name: str, opts: ResourceOptions | None = None, kind: str = "Group") -> None:
        super().__init__(f"test:index:{kind}", name, {}, opts)


def inside(group: pulumi.Resource, **options: object) -> ResourceOptions:
    """Options of a child."""
    return ResourceOptions(parent=group, **options)  # pyright: ignore[reportArgumentType]


def zone(
    name: str, opts: ResourceOptions, comment: pulumi.Input[str] | None = None
) -> route53.Zone:
    """Some resource with an output."""
    return route53.Zone(name, name="example.test", comment=comment, opts=opts)


def refusal(program: Callable[[], object], **arguments: object) -> list[str]:
    """The problems a program is refused with."""
    with pytest.raises(ProgramError) as refused:
        record(program, **arguments)  # pyright: ignore[reportArgumentType]
    return refused.value.problems


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


def test_a_plain_program_needs_no_components() -> None:
    assert [r.name for r in record(lambda: route53.Zone("zone")).of_type("aws:route53/zone:Zone")]


def test_an_output_no_fixture_resolves_is_refused_where_it_is_used() -> None:
    def program() -> None:
        group = Group("group")
        first = zone("first", inside(group))
        zone("second", inside(group), comment=first.primary_name_server.apply(lambda _: UNKNOWN))

    (problem,) = refusal(program)
    assert "Zone::second: inputs.comment is not known without an engine" in problem


def test_an_unresolved_export_is_refused() -> None:
    def program() -> None:
        pulumi.export("answer", Output.from_input(UNKNOWN))

    (problem,) = refusal(program)
    assert "outputs.answer is not known without an engine" in problem


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


def test_a_secret_is_marked_and_its_value_is_nowhere() -> None:
    def program() -> None:
        group = Group("group")
        ConfigMap(
            "map",
            metadata={"name": "map"},
            data={"open": "seen", "hidden": Output.secret("hunter2")},
            opts=inside(group),
        )
        pulumi.export("password", Output.secret("hunter2"))

    graph = record(program)
    config_map = graph.only("kubernetes:core/v1:ConfigMap")
    assert config_map.inputs["data"] == {"open": "seen", "hidden": SECRET}
    assert config_map.secret_paths == ("inputs.data.hidden",)
    assert graph.exports == {"password": SECRET}
    assert graph.only("pulumi:pulumi:Stack").secret_paths == ("outputs.password",)
    assert "hunter2" not in repr(graph)


def test_the_paths_of_several_secrets_are_in_order() -> None:
    names = [f"secret-{n}" for n in range(20)]

    def program() -> None:
        data = {name: Output.secret(name) for name in reversed(names)}
        ConfigMap("map", metadata={"name": "map"}, data=data, opts=inside(Group("group")))

    config_map = record(program).only("kubernetes:core/v1:ConfigMap")
    assert config_map.secret_paths == tuple(f"inputs.data.{name}" for name in sorted(names))


def test_encrypted_config_is_a_secret_nobody_can_read() -> None:
    def program() -> None:
        secret = pulumi.Config().require_secret("token")
        zone("zone", inside(Group("group")), comment=Output.concat("token ", secret))

    graph = record(
        program,
        config={"grpc-platform:token": "must never be read"},
        secret_keys=("grpc-platform:token",),
    )
    assert graph.only("aws:route53/zone:Zone").inputs["comment"] == SECRET


def test_encrypted_config_read_as_if_it_were_plain_is_refused() -> None:
    def program() -> None:
        zone("zone", inside(Group("group")), comment=pulumi.Config().require("token"))

    (problem,) = refusal(program, secret_keys=("grpc-platform:token",))
    assert "inputs.comment has an encrypted config value that is not marked secret" in problem


def test_config_and_stack_are_the_programs_alone() -> None:
    record(lambda: None, config={"grpc-platform:left": "behind"})
    found: list[object] = []

    def program() -> None:
        found.extend((pulumi.Config().get("left"), pulumi.get_project(), pulumi.get_stack()))
        found.append(pulumi.runtime.is_dry_run())

    record(program, project="shop", stack="prod")
    assert found == [None, "shop", "prod", True]


def test_exports_of_one_recording_do_not_reach_the_next() -> None:
    record(lambda: pulumi.export("one", 1))
    assert record(lambda: pulumi.export("two", 2)).exports == {"two": 2}


def test_children_inherit_the_provider_given_to_their_component() -> None:
    def program() -> None:
        provider = Provider("cluster", opts=inside(Group("clusters")))
        group = Group("group", ResourceOptions(providers=[provider]))
        Namespace("namespace", metadata={"name": "n"}, opts=inside(Group("deep", inside(group))))

    graph = record(program)
    provider = graph.only("pulumi:providers:kubernetes")
    assert graph.only("kubernetes:core/v1:Namespace").provider == provider.urn


def test_a_resource_comes_after_what_it_needs_directly_or_by_its_inputs() -> None:
    def program() -> None:
        group = Group("group")
        last = zone("a-last-by-need", inside(group))
        middle = zone("z-middle", inside(group), comment=last.zone_id)
        zone("b-first-by-name", inside(group, depends_on=[middle]))

    names = [r.name for r in record(program).of_type("aws:route53/zone:Zone")]
    assert names == ["a-last-by-need", "z-middle", "b-first-by-name"]


def test_to_depend_on_a_component_is_to_depend_on_what_it_made() -> None:
    def program() -> None:
        first = Group("first")
        made = zone("made", inside(first))
        first.register_outputs({"made": made.zone_id})
        zone("after", inside(Group("second"), depends_on=[first]))

    graph = record(program)
    made = graph.only("aws:route53/zone:Zone", "made")
    assert made.urn in graph.needs(graph.only("aws:route53/zone:Zone", "after"))


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
        zone("zone", inside(Group("group"), **options))

    assert record(program).only("aws:route53/zone:Zone").options == {
        "protect": True,
        "ignore_changes": ["comment"],
        "retain_on_delete": True,
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


def test_what_is_only_read_can_be_used_and_be_a_parent_and_is_not_recorded() -> None:
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
        "transforms are registered, and do not run here: what they change does not show",
    )


def test_warnings_are_kept_once_and_in_an_order_of_their_own() -> None:
    def program() -> None:
        for line in ("b", "a", "b"):
            pulumi.log.warn(line)
        pulumi.log.info("not worth keeping")

    assert record(program).warnings == ("a", "b")


def test_an_error_the_program_logs_fails_it() -> None:
    assert refusal(lambda: pulumi.log.error("no such thing")) == ["no such thing"]


def test_an_exception_of_the_program_or_of_its_applies_reaches_the_caller() -> None:
    def at_once() -> None:
        raise ZeroDivisionError

    def later() -> None:
        made = zone("zone", inside(Group("group")))
        zone("other", inside(Group("b")), comment=made.zone_id.apply(lambda _: str(1 // 0)))

    for program in (at_once, later):
        with pytest.raises(ZeroDivisionError):
            record(program)


def test_a_program_that_failed_is_forgotten() -> None:
    groups: list[weakref.ref[Group]] = []

    def program() -> None:
        group = Group("group")
        groups.append(weakref.ref(group))
        made = zone("zone", inside(group))
        zone("other", inside(group), comment=made.zone_id.apply(lambda _: str(1 // 0)))

    with pytest.raises(ZeroDivisionError):
        record(program)
    gc.collect()
    assert groups[0]() is None
    assert record(lambda: pulumi.export("after", 1)).exports == {"after": 1}


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
    answers = [({"state": "impaired"}, "no"), ({"state": "available"}, "yes"), ({}, "late")]
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
