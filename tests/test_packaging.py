"""Two distributions, each with its own files and no other, that install anywhere."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib import import_module
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from uv import find_uv_bin

import grpc_platform
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file, stacks_of
from tests.tree import ROOT

EXAMPLES = ("own_platform", "service_stack")
PACKAGES = {"components": "grpc_platform", "tools": "grpc_platform_tools"}
"""The package of each distribution, by its folder."""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each folder, built as by `pip`, but with the installed backend."""
    out = tmp_path_factory.mktemp("wheels")
    for folder in PACKAGES:
        program = f"from hatchling.build import build_wheel; build_wheel({str(out)!r})"
        command = [sys.executable, "-c", program]
        subprocess.run(command, cwd=ROOT / folder, check=True, capture_output=True)
    return {folder: next(out.glob(f"{package}-*.whl")) for folder, package in PACKAGES.items()}


@pytest.mark.parametrize(("folder", "package"), PACKAGES.items())
def test_a_wheel_holds_all_of_its_package_and_nothing_else(
    wheels: dict[str, Path], folder: str, package: str
) -> None:
    names = zipfile.ZipFile(wheels[folder]).namelist()
    described = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    here = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", package],
        cwd=ROOT / folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(names) - described == {name for name in here if (ROOT / folder / name).exists()}
    assert any(name.endswith("licenses/LICENSE") for name in described)


def test_whoever_imports_the_components_gets_five_packages_with_them(
    wheels: dict[str, Path],
) -> None:
    archive = zipfile.ZipFile(wheels["components"])
    (file,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    required = Parser().parsestr(archive.read(file).decode()).get_all("Requires-Dist") or []
    assert {re.split("[<>]", line)[0] for line in required} == {
        "pulumi",
        "pulumi-aws",
        "pulumi-kubernetes",
        "pydantic",
        "pyyaml",
    }


@pytest.mark.parametrize("folder", PACKAGES)
def test_a_wheel_has_a_valid_sbom_of_what_is_installed_with_it(
    wheels: dict[str, Path], with_both: Path, folder: str
) -> None:
    archive = zipfile.ZipFile(wheels[folder])
    (file,) = [name for name in archive.namelist() if ".dist-info/sboms/" in name]
    text = archive.read(file).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    sbom = json.loads(text)
    (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    itself = Parser().parsestr(archive.read(metadata).decode())
    assert sbom["metadata"]["component"]["name"] == itself["Name"]
    assert sbom["metadata"]["component"]["version"] == itself["Version"]
    listed = {each["name"]: each["version"] for each in sbom["components"]}
    installed = {
        name: version
        for name, version in installed_with(with_both, itself["Name"]).items()
        if name != itself["Name"]
    }
    assert installed
    assert installed.items() <= listed.items()
    assert "pytest" not in listed


INSTALLED = """
import importlib.metadata as metadata, json, sys
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

found, waiting = {}, [sys.argv[1]]
while waiting:
    name = canonicalize_name(waiting.pop())
    if name not in found:
        found[name] = metadata.version(name)
        asked = map(Requirement, metadata.requires(name) or [])
        waiting += [r.name for r in asked if not r.marker or r.marker.evaluate({"extra": ""})]
print(json.dumps(found))
"""


def installed_with(programs: Path, name: str) -> dict[str, str]:
    """The version of a distribution and of all that it needs, in the environment of `programs`."""
    command = [programs / "python", "-c", INSTALLED, name]
    told = subprocess.run(
        command, env=own_environment(), capture_output=True, text=True, check=True
    )
    return json.loads(told.stdout)


def test_the_sbom_of_the_components_lists_the_images_that_prod_deploys() -> None:
    sbom = json.loads((ROOT / "components/sbom.cdx.json").read_text())
    listed = {
        f"{each['name']}:{each['version']}"
        for each in sbom["components"]
        if each["type"] == "container"
    }
    graph = run_program(ROOT, "prod", read_stack_file(ROOT, "prod"))
    deployed = re.findall(r'"image": "([^"]+)"', json.dumps([r.inputs for r in graph]))
    assert listed == set(deployed)


def test_both_distributions_and_the_repository_have_one_licence() -> None:
    texts = {(ROOT / folder / "LICENSE").read_text() for folder in (".", *PACKAGES)}
    assert len(texts) == 1


@pytest.fixture(scope="session")
def with_components(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the components and what they ask for, in the
    versions that are locked here."""
    return environment(tmp_path_factory.mktemp("components") / "venv", wheels["components"])


@pytest.fixture(scope="session")
def with_both(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the components and the tools."""
    return environment(tmp_path_factory.mktemp("both") / "venv", *wheels.values())


def environment(folder: Path, *wheels: Path) -> Path:
    python = folder / "bin" / "python"
    uv("venv", "--python", sys.executable, folder)
    constraints = ("--constraint", ROOT / "requirements.lock")
    uv("pip", "install", "--python", python, *constraints, *wheels)
    return python.parent


def uv(*arguments: str | Path) -> None:
    subprocess.run([find_uv_bin(), *arguments, "--quiet"], env=own_environment(), check=True)


def own_environment() -> dict[str, str]:
    """An environment without paths to this checkout; imported modules are compiled for the next
    test."""
    strange = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
    return {key: value for key, value in os.environ.items() if key not in strange}


@pytest.mark.parametrize(
    "module",
    ["components", "config", "tools", "testbed", "grpc_platform_tools", "rich", "typer", "uv"],
)
def test_the_components_bring_no_other_room_and_nothing_of_the_tools(
    with_components: Path, module: str
) -> None:
    found = subprocess.run(
        [with_components / "python", "-c", f"import {module}"],
        cwd=with_components,
        env=own_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"No module named '{module}'" in found.stderr


def test_every_public_name_can_be_imported_where_only_the_components_are(
    with_components: Path, tmp_path: Path
) -> None:
    program = (
        "import grpc_platform\n"
        "for name in grpc_platform.__all__:\n"
        "    print(name, getattr(grpc_platform, name).__module__)"
    )
    done = subprocess.run(
        [with_components / "python", "-c", program],
        cwd=tmp_path,
        env=own_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    homes = dict(line.split() for line in done.stdout.splitlines())
    # A union (AnyCluster) is of no module of its own.
    own = {name: home for name, home in homes.items() if not name.startswith("Any")}
    assert all(home.startswith("grpc_platform.") for home in own.values())
    assert {"GrpcService", "GrpcIngress", "Network", "Cluster", "Zone"} <= homes.keys()


def test_the_names_that_are_loaded_late_are_those_a_type_checker_sees() -> None:
    """They are listed twice: lazily for Python, and plainly for a type checker."""
    tree = ast.parse(Path(grpc_platform.__file__).read_text())
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = {
        alias.name: f"grpc_platform.{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen.keys() == set(dir(grpc_platform))
    for name, home in seen.items():
        assert getattr(import_module(home), name) is getattr(grpc_platform, name)


@pytest.mark.parametrize(
    ("example", "stack"),
    [(example, stack) for example in EXAMPLES for stack in stacks_of(ROOT / "examples" / example)],
)
def test_the_installed_command_previews_an_example_as_this_checkout_does(
    with_both: Path, tmp_path: Path, example: str, stack: str
) -> None:
    here = ROOT / "examples" / example
    there = tmp_path / example
    shutil.copytree(here, there, ignore=shutil.ignore_patterns("build", "__pycache__"))
    subprocess.run(
        [with_both / "grpc-platform", "preview", stack, "--program", there],
        cwd=tmp_path,
        env=own_environment(),
        capture_output=True,
        check=True,
    )
    graph = Graph.load(there / "build" / "preview" / stack / "resources.json")
    assert graph.resources == run_program(here, stack, read_stack_file(here, stack)).resources


@pytest.mark.parametrize(("folder", "package"), PACKAGES.items())
def test_an_editable_install_finds_each_package_from_anywhere(
    tmp_path: Path, folder: str, package: str
) -> None:
    found = subprocess.run(
        [sys.executable, "-c", f"import {package}; print({package}.__file__)"],
        cwd=tmp_path,
        env=own_environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(found).resolve() == ROOT / folder / package / "__init__.py"


def loads(program: str, *prefixes: str) -> bool:
    """Whether a program loads a module that begins with one of these."""
    check = f"import sys; {program}; sys.exit(any(m.startswith({prefixes!r}) for m in sys.modules))"
    return bool(subprocess.run([sys.executable, "-c", check], check=False).returncode)


def test_to_read_a_derived_time_loads_no_sdk() -> None:
    assert not loads("import grpc_platform.timing", "pulumi", "grpc.")
    assert not loads("from grpc_platform import Timing", "pulumi", "grpc.")
    assert loads("from grpc_platform import Zone", "pulumi")


def test_a_stack_without_ec2_and_eks_does_not_load_them() -> None:
    """They take a second and 40 MB; the annotations of components must not touch them."""
    assert not loads("import grpc_platform.platform_stack", "pulumi_aws.ec2.", "pulumi_aws.eks.")


TEAM = """
import json
import sys
from pathlib import Path

import pulumi

registered = {}
exports = json.loads(Path(sys.argv[1]).read_text())


class Engine(pulumi.runtime.Mocks):
    def new_resource(self, args):
        registered[args.typ] = args.inputs
        stack = args.typ == "pulumi:pulumi:StackReference"
        return args.name, args.inputs | ({"outputs": exports} if stack else {})

    def call(self, args):
        return {}


pulumi.runtime.set_mocks(Engine(), project="payments", stack="prod")


@pulumi.runtime.test
def program():
    exec(compile(sys.stdin.read(), "README.md", "exec"), {})


program()
print(json.dumps(registered))
"""


def test_the_lines_of_the_readme_run_where_only_the_components_are(
    with_components: Path, tmp_path: Path
) -> None:
    """On what the platform's production stack exports, by the SDK's own mocks."""
    (tmp_path / "team.py").write_text(TEAM)
    (lines,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    exports = ROOT / "examples" / "service_stack" / "platform-prod.json"
    done = subprocess.run(
        [with_components / "python", "team.py", exports],
        input=lines,
        cwd=tmp_path,
        env=own_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    registered = json.loads(done.stdout)
    assert registered["aws:route53/record:Record"]["name"] == "billing.grpc.prod.example.com"
    (rule,) = registered["kubernetes:networking.k8s.io/v1:Ingress"]["spec"]["rules"]
    assert rule["host"] == "billing.grpc.prod.example.com"
    assert len([line for line in lines.splitlines() if line and "import" not in line]) <= 10
