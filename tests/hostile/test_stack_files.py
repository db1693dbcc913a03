"""A hostile stack file is refused in lines before anything is registered, or previewed whole."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from config.check import check
from config.load import load_settings
from config.mistakes import ConfigError
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.preview.command import write_preview
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.record import record
from grpc_platform_tools.preview.stack_file import StackFile, read_stack_file
from grpc_platform_tools.preview.summary import summarise
from tests.config.stack import GOOD, changed
from tests.hostile.cases import cases, said
from tests.hostile.stack_files import files, trees, written
from tests.tree import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program's folder, for a stack file."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "Pulumi.yaml").write_text("name: grpc-platform\n")
    return folder


def loaded(folder: Path, stack_file: bytes) -> StackFile | None:
    """The stack file if the program takes it."""
    (folder / "Pulumi.dev.yaml").write_bytes(stack_file)
    try:
        read = read_stack_file(folder, "dev")
        record(
            load_settings, project=read.project, config=read.config, secret_keys=read.secret_keys
        )
    except (UserError, ConfigError) as refused:
        said(refused.problems)
        return None
    return read


@cases(300)
@given(files())
def test_a_hostile_stack_file_loads_or_is_refused_in_lines(folder: Path, stack_file: bytes) -> None:
    loaded(folder, stack_file)


@cases(12)
@given(trees(plausible=True))
def test_a_stack_file_that_loads_is_previewed(folder: Path, case: tuple[str, Any]) -> None:
    read = loaded(folder, written(case[1], escaped=True).encode(errors="surrogatepass"))
    # `pulumi up` may have its region from the environment, a preview has not.
    if read is None or "aws:region" not in read.config:
        return
    # What the components refuse is refused too late.
    graph = run_program(ROOT, "dev", read)
    write_preview(graph, summarise(graph, "dev"), folder / "preview")
    for manifest in (folder / "preview" / "manifests").rglob("*.yaml"):
        assert {"apiVersion", "kind", "metadata"} <= yaml.safe_load(manifest.read_text()).keys()


MANY = 2_000
NAMES = [f"x{number}" for number in range(MANY)]
HUGE: dict[str, dict[str, Any]] = {
    "unknown keys": {"zone": {"name": "x.example", **{name: {} for name in NAMES}}},
    "wrong values": {"services": {name: {"port": "x", "deadline": "x"} for name in NAMES}},
    "wrong names": {"services": {f"{name}!": {} for name in NAMES}},
    "one host": {"services": {name: {"host": "x.grpc.example.com"} for name in NAMES}},
    "blocks of a list": {"clusters.serving.public_access_cidrs": ["10.0.0.0/8"] * MANY},
    "callers": {
        "callers": {name: {"cidr": "10.9.0.0/16", "vpc_id": f"vpc-{name}"} for name in NAMES}
    },
    "roles": {"clusters.serving.access": {"deployer_role": "x0", "admin_roles": NAMES}},
    "hosts": {"zone.teams": {name: {"role": "r", "hosts": ["x.org", "y.org"]} for name in NAMES}},
    "clusters": {"clusters": {key: {"existing": {"context": "c"}} for key in NAMES}},
    "a long key": {"zone.teams": {"x" * 10**6: 1}, "y" * 10**6: 1},
    "a long value": {"zone.name": "x" * 10**6, "envoy.cpu": "1" * 10**6},
    "a deep value": {"zone": {"name": [[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]}},
}


@pytest.mark.parametrize("changes", HUGE.values(), ids=HUGE)
def test_a_huge_stack_file_is_refused_in_lines(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        check(changed(changes))
    said(refused.value.problems)


def test_the_time_of_a_refusal_grows_with_the_mistakes_and_not_with_their_square() -> None:
    counted = [_calls(lambda n=n: _refused(n)) for n in (100, 200, 400)]
    first, second = counted[1] - counted[0], counted[2] - counted[1]
    assert second / first < 2.5


def _refused(number: int) -> None:
    services = {f"x{n}": {"port": "x", "host": "y.grpc.example.com"} for n in range(number)}
    with pytest.raises(ConfigError) as refused:
        check({**GOOD, "services": services | {"z": {"host": "y.grpc.example.com"}}})
    assert len(refused.value.problems) > number


def _calls(program: Any) -> int:
    """How many calls of Python's a program makes."""
    import sys

    made = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        program()
    finally:
        sys.setprofile(None)
    return made
