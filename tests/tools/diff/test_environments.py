"""Each revision runs with the dependencies that it locks."""

import importlib.metadata
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv
from typer.testing import CliRunner, Result

from grpc_platform_tools.cli import app
from grpc_platform_tools.diff.environments import Lock, environment_of, is_installed, lock_of
from grpc_platform_tools.diff.report import Report
from grpc_platform_tools.errors import UserError
from tests.tools.diff.conftest import PROGRAM, Repo


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of ours; uv keeps its own, from which it installs without a network."""
    if not (packages := os.environ.get("UV_CACHE_DIR")):
        packages = str(Path("~/.cache/uv").expanduser())
    monkeypatch.setenv("UV_CACHE_DIR", packages)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "grpc-platform" / "environments"


def sdk() -> Iterator[str]:
    """The Pulumi SDK and all it needs, at the versions that are installed here."""
    todo, seen = ["pulumi"], set[str]()
    while todo:
        name = re.split(r"[^A-Za-z0-9._-]", todo.pop())[0].lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform
        yield f"{name}=={found.version}"
        todo += [line for line in found.requires or [] if "extra ==" not in line]


def wheel(folder: Path, version: str) -> Path:
    """A package that says which version it is."""
    folder.mkdir(exist_ok=True)
    path = folder / f"unit-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        info = f"unit-{version}.dist-info"
        file.writestr("unit.py", f"VERSION = {version!r}\n")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: unit\nVersion: {version}\n"
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return path


def diff(repo: Repo, *arguments: str) -> Result:
    given = ["diff", *arguments, "--program", str(repo.directory)]
    return CliRunner().invoke(app, given, catch_exceptions=False)


def test_a_bumped_dependency_shows_in_what_it_changes(
    repo: Repo, tmp_path: Path, cache: Path
) -> None:
    commits: list[str] = []
    for version in ("1.0", "2.0"):
        lines = [*sdk(), f"unit @ {wheel(tmp_path / 'wheels', version).as_uri()}"]
        lock = "\n".join(lines) + "\n"
        source = f"{PROGRAM}import unit\npulumi.export('unit', unit.VERSION)"
        files = {"__main__.py": source, "requirements.lock": lock, **repo.stack()}
        commits.append(repo.commit(files))
    repo.write({"requirements.lock": "# neither\n"})
    result = diff(repo, commits[0], "--head", commits[1])
    assert result.exit_code == 2, result.output
    report = Report.load((repo.directory / "build" / "diff" / "diff.json").read_bytes())
    assert [(c.path, c.old, c.new) for c in report.stacks[0].outputs] == [("unit", "1.0", "2.0")]
    assert len(list(cache.glob("*/.complete"))) == 2
    comment = (repo.directory / "build" / "diff" / "comment.md").read_text()
    assert comment.startswith("""\
### `shop`: what this changes

#### `dev`: no resource changed

**Outputs**

<details><summary>the stack's outputs</summary>

```diff
-unit: '1.0'
+unit: '2.0'
```

</details>
""")


def test_what_cannot_be_installed_is_that_revisions_problem(repo: Repo, tmp_path: Path) -> None:
    base = repo.commit({"requirements.lock": f"unit @ {tmp_path.as_uri()}/no.whl", **repo.stack()})
    repo.write({"requirements.lock": None})
    result = diff(repo, base)
    assert result.exit_code == 1
    report = Report.load((repo.directory / "build" / "diff" / "diff.json").read_bytes())
    assert (
        report.stacks[0].problems["base"][0]
        == "the dependencies in requirements.lock cannot be installed"
    )


def test_an_environment_is_made_once_and_whole(tmp_path: Path, cache: Path) -> None:
    lock_file = tmp_path / "requirements.txt"
    lock_file.write_text(f"unit @ {wheel(tmp_path / 'wheels', '1.0').as_uri()}\n")
    lock = lock_of(tmp_path, tmp_path)
    assert lock
    # What an interrupted run left is no environment.
    python = cache / lock.key / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("broken")
    assert not is_installed(lock)
    assert environment_of(lock) == python
    assert is_installed(lock)
    made = python.lstat().st_mtime_ns
    (tmp_path / "wheels").rename(tmp_path / "gone")
    assert environment_of(lock).lstat().st_mtime_ns == made


def test_a_failed_installation_is_tried_again(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "requirements.txt", b"")
    lock.path.write_text(f"unit @ {tmp_path.as_uri()}/no.whl\n")
    for _ in range(2):
        with pytest.raises(
            UserError, match=r"the dependencies in requirements\.txt cannot be installed"
        ):
            environment_of(lock)


def test_a_uv_project_gets_what_its_lock_says(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = []\n'
    )
    subprocess.run([uv.find_uv_bin(), "lock", "--offline", "--quiet"], cwd=tmp_path, check=True)
    lock = lock_of(tmp_path, tmp_path)
    assert lock
    assert lock.path.name == "uv.lock"
    assert environment_of(lock).exists()


def test_what_a_requirements_file_includes_is_part_of_what_it_locks(tmp_path: Path) -> None:
    files = {"requirements.txt": "-r more.txt\n--constraint=pins.txt\nunit\n", "pins.txt": "a==1\n"}
    files["more.txt"] = "-r requirements.txt # as pip, once\n-c missing.txt\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    before = lock_of(tmp_path, tmp_path)
    assert before
    assert before.same_as(lock_of(tmp_path, tmp_path))
    for name in ("pins.txt", "more.txt"):
        (tmp_path / name).write_text(f"{files[name]}b==1\n")
        after = lock_of(tmp_path, tmp_path)
        assert after
        assert not before.same_as(after)
        assert before.key != after.key
        (tmp_path / name).write_text(files[name])


def test_the_nearest_lock_counts_and_none_beyond_the_repository(tmp_path: Path) -> None:
    inside = tmp_path / "repo" / "stacks" / "shop"
    inside.mkdir(parents=True)
    (tmp_path / "requirements.lock").write_text("outside\n")
    assert lock_of(inside, tmp_path / "repo") is None
    (tmp_path / "repo" / "requirements.lock").write_text("root\n")
    assert lock_of(inside, tmp_path / "repo") == Lock(
        tmp_path / "repo" / "requirements.lock", b"root\n"
    )
    (inside / "requirements.txt").write_text("own\n")
    found = lock_of(inside, tmp_path / "repo")
    assert found
    assert found.content == b"own\n"
