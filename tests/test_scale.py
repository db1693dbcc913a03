"""What a program with many services costs grows with their number, not with its square."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest

from grpc_platform_tools.preview import record
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file

ROOT = Path(__file__).parents[1]


def preview(services: int) -> None:
    """Record the dev stack with so many services."""
    names = [f"service-{number}" for number in range(services)]
    stack = read_stack_file(ROOT, "dev")
    given = {"grpc-platform:services": json.dumps({name: {} for name in names})}
    run_program(ROOT, "dev", replace(stack, config={**stack.config, **given}))


def growth(costs: dict[int, int]) -> float:
    """How much more the last services cost than the first; 1 if all cost the same."""
    (a, first), (b, second), (c, third) = sorted(costs.items())
    return ((third - second) / (c - b)) / ((second - first) / (b - a))


def test_every_service_makes_as_many_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    sdk: Any = pulumi.Output
    track = sdk._track

    def counted(output: object) -> None:
        nonlocal made
        made += 1
        track(output)

    monkeypatch.setattr(sdk, "_track", counted)
    costs: dict[int, int] = {}
    for services in (5, 10, 20):
        made = 0
        preview(services)
        costs[services] = made
    assert growth(costs) == 1
    # All but four are the SDK's own, of three resources, a component and their aliases.
    assert (costs[20] - costs[10]) / 10 <= 116


def test_an_output_is_waited_for_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    wait: Any = asyncio.wait

    async def counted(tasks: Iterable[Any], **options: Any) -> Any:
        nonlocal looked_at
        tasks = list(tasks)
        looked_at += len(tasks)
        return await wait(tasks, **options)

    async def leave_it_to_the_program() -> None:
        pass

    monkeypatch.setattr(asyncio, "wait", counted)
    # The recorder too waits for all at once; an engine does not.
    monkeypatch.setattr(record, "_until_quiet", leave_it_to_the_program)
    costs: dict[int, int] = {}
    for services in (10, 30, 90):
        looked_at = 0
        preview(services)
        costs[services] = looked_at
    assert growth(costs) < 1.5
