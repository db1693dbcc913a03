"""The operators, and that a fault is planted in the process alone."""

import ast
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.mutants import plant
from tests.mutants.faults import PACKAGE, Fault, faults, modules, tree_of
from tests.mutants.legal import other


def found(source: str, module: str = "some.py") -> dict[str, str]:
    """The source with each of its faults, by what it is without its place."""
    texts: dict[str, str] = {}
    for index, fault in enumerate(faults(module, ast.parse(source))):
        tree = ast.parse(source)
        faults(module, tree)[index].apply()
        texts[fault.id.split(":", 2)[2]] = ast.unparse(tree)
    return texts


def test_an_argument_is_dropped_swapped_and_set_to_another_value() -> None:
    assert found("Probe(period=5, timeout=3, read_only=True)") == {
        "Probe.period:drop": "Probe(timeout=3, read_only=True)",
        "Probe.timeout:drop": "Probe(period=5, read_only=True)",
        "Probe.read_only:drop": "Probe(period=5, timeout=3)",
        "Probe.period:swap timeout": "Probe(period=3, timeout=5, read_only=True)",
        "Probe.period=5:set 10": "Probe(period=10, timeout=3, read_only=True)",
        "Probe.timeout=3:set 6": "Probe(period=5, timeout=6, read_only=True)",
        "Probe.read_only=True:set False": "Probe(period=5, timeout=3, read_only=False)",
    }


def test_entries_and_elements_are_dropped_one_by_one() -> None:
    assert found("labels = {'app': name, **more}") == {
        "labels{app}:drop": "labels = {**more}",
        "labels{**more}:drop": "labels = {'app': name}",
    }
    assert found("flags = ['--events', '--registry=txt']") == {
        "flags[--events]:drop": "flags = ['--registry=txt']",
        "flags[--registry=txt]:drop": "flags = ['--events']",
        "flags=--registry=txt:set '--registry=noop'": "flags = ['--events', '--registry=noop']",
    }


def test_a_rules_boundaries_are_moved() -> None:
    source = "def rule():\n    return a < b and c is None"
    assert found(source, "rules/some.py") == {
        "a < b and c is None:Or": source.replace("and", "or"),
        "a < b:LtE": source.replace("<", "<="),
        "c is None:IsNot": source.replace("is", "is not"),
    }
    assert found(source) == {}


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        ("1m", "2m"),
        ("--interval=1m", "--interval=2m"),
        ("64Mi", "128Mi"),
        (0, 1),
        ("greeter", None),
    ],
)
def test_another_value_is_one_that_nothing_refuses(value: object, changed: object) -> None:
    assert other(value) == changed


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.id for module in modules() for fault in faults(module, tree_of(module))]
    assert len(names) == len(set(names)) > 2000


def test_what_is_argued_is_a_fault_that_there_is_and_has_a_reason() -> None:
    names = {fault.id for module in modules() for fault in faults(module, tree_of(module))}
    argued: dict[str, Any] = yaml.safe_load((PACKAGE.parents[1] / ARGUED).read_text()) or {}
    assert argued.keys() <= names
    assert all(len(reason.split()) > 3 for reason in argued.values())


ARGUED = "tests/mutants/argued.yaml"


@pytest.fixture
def fault() -> Callable[[str, str], Fault]:
    def named(module: str, text: str) -> Fault:
        return next(f for f in faults(module, tree_of(module)) if text in f.id)

    return named


def test_a_fault_is_planted_in_the_process_and_not_in_the_file(
    fault: Callable[[str, str], Fault],
) -> None:
    from grpc_platform.network_policy import tcp

    module, code = "network_policy.py", tcp.__code__
    before = (PACKAGE / module).read_bytes()
    tree = plant.planted(module, fault(module, "protocol=TCP:set").id)
    try:
        assert plant.replace_function(module, "tcp", tree)
        assert tcp(1).protocol == "UDP"
    finally:
        tcp.__code__ = code
    assert tcp(1).protocol == "TCP"
    assert (PACKAGE / module).read_bytes() == before
