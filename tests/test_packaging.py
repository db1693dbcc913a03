"""One import name everywhere: this checkout, an editable install, and the wheel."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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
    # From a copy of what is committed or about to be: setuptools writes build/ beside its sources.
    copy = out / "source"
    copy.mkdir()
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        source, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.is_file():
            target.write_bytes(source.read_bytes())
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


def test_the_wheel_imports_alone_and_has_the_command(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        "import grpc_platform.components.timing as t, grpc_platform.cli as c;"
        "print(t.__file__, c.__file__)"
    )
    found = subprocess.run(
        # Not the path configuration of the editable install, but the other packages of it.
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{Path(pytest.__file__).parents[1]}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found.count(str(tmp_path)) == 2
    (entry_points,) = tmp_path.glob("*.dist-info/entry_points.txt")
    assert "grpc-platform = grpc_platform.cli:app" in entry_points.read_text()


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
