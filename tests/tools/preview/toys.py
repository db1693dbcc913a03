"""Small resources for programs of a test, and how such a program is refused."""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest
from pulumi import ResourceOptions
from pulumi_aws import route53

from grpc_platform_tools.preview.fixtures import Fixtures
from grpc_platform_tools.preview.record import ProgramError, record


class Group(pulumi.ComponentResource):
    """A component of a test."""

    def __init__(self, name: str, opts: ResourceOptions | None = None, kind: str = "Group") -> None:
        super().__init__(f"test:index:{kind}", name, {}, opts)


def inside(group: pulumi.Resource, **options: Any) -> ResourceOptions:
    """Options of a child."""
    return ResourceOptions(parent=group, **options)


def zone(
    name: str, opts: ResourceOptions, comment: pulumi.Input[str] | None = None
) -> route53.Zone:
    """Some resource with an output."""
    return route53.Zone(name, name="example.test", comment=comment, opts=opts)


def refusal(
    program: Callable[[], object],
    *,
    config: Mapping[str, str] | None = None,
    secret_keys: tuple[str, ...] = (),
    fixtures: Fixtures | None = None,
) -> list[str]:
    """The problems a program is refused with."""
    with pytest.raises(ProgramError) as refused:
        record(program, config=config, secret_keys=secret_keys, fixtures=fixtures)
    return refused.value.problems
