"""One import name everywhere: this checkout, an editable install, and the wheel."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from grpc_platform.graph import Graph
from grpc_platform.preview.program import run_program
from grpc_platform.preview.stack_file import read_stack_file, stacks_of
from tests.tree import ROOT, copy_tree

EXAMPLES = ("own_platform", "service_stack")
SOURCES = [
    path
    for folder in ("components", "config", "grpc_platform", "tests", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not path.is_relative_to(ROOT / "grpc_platform" / "components")
]


def imported_modules(path: Path) -> set[str]:
    """Top-level names of what a file imports absolutely."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return names


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `pip` would but with the backend that is here already."""
    out = tmp_path_factory.mktemp("wheel")
    # From a copy: setuptools writes build/ beside its sources.
    copy = out / "source"
    copy_tree(copy)
    program = f"from setuptools import build_meta as b; b.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=copy, check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_components_by_another_name(path: Path) -> None:
    others = {n for n in imported_modules(path) if n.split(".")[0] == "components"}
    assert not others


def test_the_program_imports_components_by_the_one_name() -> None:
    names = imported_modules(ROOT / "__main__.py")
    assert any(name.startswith("grpc_platform.components") for name in names)
    assert not any(name.split(".")[0] == "components" for name in names)


def test_components_and_tools_do_not_import_config() -> None:
    folders = (ROOT / "components", ROOT / "grpc_platform")
    shipped = [p for p in SOURCES if any(p.is_relative_to(folder) for folder in folders)]
    assert shipped
    for path in shipped:
        assert not {n for n in imported_modules(path) if n.split(".")[0] == "config"}, path


def test_the_tools_do_not_import_components() -> None:
    for path in (ROOT / "grpc_platform").rglob("*.py"):
        if path in SOURCES:
            found = {n for n in imported_modules(path) if n.startswith("grpc_platform.components")}
            assert not found, path


def test_the_wheel_holds_the_package_and_its_components_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "grpc_platform",
        "grpc_platform-0.1.0.dist-info",
    }
    inside = {name for name in names if name.startswith("grpc_platform/")}
    components = {
        f"grpc_platform/components/{path.relative_to(ROOT / 'components')}"
        for path in (ROOT / "components").rglob("*.py")
    }
    assert components <= inside
    assert {"grpc_platform/py.typed", "grpc_platform/cli.py"} <= inside


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel and what it asks for, in the versions
    that are locked here."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    python = folder / "bin" / "python"
    uv("venv", "--python", sys.executable, folder)
    constraints = ("--constraint", ROOT / "requirements.lock")
    uv("pip", "install", "--python", python, *constraints, wheel)
    return python.parent


def uv(*arguments: str | Path) -> None:
    subprocess.run([find_uv_bin(), *arguments, "--quiet"], env=own_environment(), check=True)


def own_environment() -> dict[str, str]:
    """Nothing that leads to this checkout; what is imported is compiled, for the next test."""
    strange = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
    return {key: value for key, value in os.environ.items() if key not in strange}


@pytest.mark.parametrize("module", ["components", "config"])
def test_an_installed_wheel_takes_no_common_name(installed: Path, module: str) -> None:
    found = subprocess.run(
        [installed / "python", "-c", f"import {module}"],
        cwd=installed,
        env=own_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"No module named '{module}'" in found.stderr


@pytest.mark.parametrize(
    ("example", "stack"),
    [(example, stack) for example in EXAMPLES for stack in stacks_of(ROOT / "examples" / example)],
)
def test_the_installed_command_previews_an_example_as_this_checkout_does(
    installed: Path, tmp_path: Path, example: str, stack: str
) -> None:
    here = ROOT / "examples" / example
    there = tmp_path / example
    shutil.copytree(here, there, ignore=shutil.ignore_patterns("build", "__pycache__"))
    subprocess.run(
        [installed / "grpc-platform", "preview", stack, "--program", there],
        cwd=tmp_path,
        env=own_environment(),
        capture_output=True,
        check=True,
    )
    graph = Graph.load(there / "build" / "preview" / stack / "resources.json")
    assert graph.resources == run_program(here, stack, read_stack_file(here, stack)).resources


@pytest.mark.parametrize("command", ["up", "down"])
def test_the_installed_command_says_where_the_local_cluster_is(
    installed: Path, tmp_path: Path, command: str
) -> None:
    told = subprocess.run(
        [installed / "grpc-platform", "local", command],
        cwd=tmp_path,
        env=own_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    assert told.stdout == (
        "the local cluster is in a checkout of grpc-platform: make local there\n"
    )


def test_an_editable_install_finds_both_halves_from_anywhere(tmp_path: Path) -> None:
    program = "import grpc_platform.components.timing as t; print(t.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert Path(found).resolve() == ROOT / "components" / "timing.py"


def test_to_read_a_derived_time_loads_no_sdk() -> None:
    program = (
        "import sys, grpc_platform.components.timing;"
        "sys.exit(any(m.split('.')[0] in {'pulumi', 'pulumi_aws', 'grpc'} for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_stack_without_ec2_and_eks_does_not_load_them() -> None:
    """They take a second and 40 MB; the annotations of components must not touch them."""
    program = (
        "import sys, grpc_platform.components.platform_stack;"
        "sys.exit(any(m.startswith(('pulumi_aws.ec2.', 'pulumi_aws.eks.')) for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
