"""What a recording guarantees: the engine's config and order, and nothing unsound in silence."""

import gc
import weakref

import pulumi
import pytest
from pulumi import Output
from pulumi.runtime.rpc import UNKNOWN
from pulumi_aws import route53
from pulumi_kubernetes.core.v1 import ConfigMap

from grpc_platform_tools.graph import SECRET
from grpc_platform_tools.preview.record import record
from tests.tools.preview.toys import Group, inside, refusal, zone

pytestmark = [
    pytest.mark.usefixtures("stopped_programs"),
    pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning"),
]


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
