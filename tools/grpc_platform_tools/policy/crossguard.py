"""The rules as a CrossGuard pack, for `pulumi preview --policy-pack`.

A pack's own `__main__.py` calls `serve`. It needs the extra `policy`, in an environment of the
pack's own: pulumi-policy 1.21 and the extra `call` need different versions of protobuf.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from grpc_platform_tools.graph import STACK_TYPE, UNKNOWN, Graph, Resource, in_dependency_order
from grpc_platform_tools.policy.exemptions import PolicyFile, judge_stack, read_policy_file
from grpc_platform_tools.policy.judge import Verdict

_UNSEEN = "no-plain-secret"
"""Asks whether a value is marked as secret, which the engine does not tell a pack."""

Report = Callable[[str, str], None]


def serve(program: Path) -> None:
    """Serve the rules to an engine until it ends this process. `program` is the directory of the
    policy.yaml to heed."""
    sdk: Any = importlib.import_module("pulumi_policy")
    given = read_policy_file(program)
    inputs: dict[str, dict[str, Any]] = {}
    level = sdk.EnforcementLevel

    def judged(args: Any) -> list[Verdict]:
        stack = next((r.urn.split("::")[0].rpartition(":")[2] for r in args.resources), "")
        return judgements(args.resources, inputs, stack, given)

    def keep(args: Any, _report: Report) -> None:
        inputs[args.urn] = known(args.props)

    def errors(args: Any, report: Report) -> None:
        _tell([v for v in judged(args) if v.outcome == "error"], report)

    def others(args: Any, report: Report) -> None:
        _tell([v for v in judged(args) if v.outcome != "error"], report)

    sdk.PolicyPack(
        "grpc-platform",
        policies=[
            # Only here are inputs what the program gave, without what a provider adds.
            sdk.ResourceValidationPolicy("inputs", "Reads every resource.", keep, level.ADVISORY),
            sdk.StackValidationPolicy("errors", "Must hold.", errors, level.MANDATORY),
            sdk.StackValidationPolicy("warnings", "Should hold.", others, level.ADVISORY),
        ],
    )


def judgements(
    resources: Sequence[Any],
    inputs: Mapping[str, dict[str, Any]],
    stack: str,
    given: PolicyFile,
) -> list[Verdict]:
    """The verdicts on what the engine handed over: `resources` of a stack's validation, and by URN
    the inputs that each resource's own validation had."""
    graph = Graph(in_dependency_order(_resource(each, inputs) for each in resources))
    found = judge_stack(graph, stack, given, date.today()).verdicts
    return [verdict for verdict in found if verdict.rule.name != _UNSEEN]


def _resource(each: Any, inputs: Mapping[str, dict[str, Any]]) -> Resource:
    is_stack = each.resource_type == STACK_TYPE
    return Resource(
        urn=each.urn,
        type=each.resource_type,
        name=each.name,
        parent=each.parent.urn if each.parent else None,
        provider=each.provider.urn if each.provider else None,
        inputs=inputs.get(each.urn) or ({} if is_stack else known(each.props)),
        outputs=known(each.props) if is_stack else {},
        depends_on=tuple(other.urn for other in each.dependencies),
        options={"protect": each.opts.protect, "component": is_stack},
    )


def known(value: Any) -> Any:
    """A value of the engine as plain JSON, with UNKNOWN for what is not known yet: the SDK raises
    an exception where one is read."""
    container: Any = value
    if isinstance(value, Mapping):
        return {str(key): _read(container, key) for key in container}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_read(container, place) for place in range(len(container))]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # protobuf has but one kind of number
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _read(container: Any, key: Any) -> Any:
    try:
        value = container[key]
    except Exception as error:
        if type(error).__name__ != "UnknownValueError":
            raise
        return UNKNOWN
    return known(value)


def _tell(verdicts: Sequence[Verdict], report: Report) -> None:
    for verdict in verdicts:
        remedy = "" if verdict.outcome == "unknown" else f". {verdict.rule.remedy}"
        report(f"{verdict.line}{remedy}", verdict.urn)
