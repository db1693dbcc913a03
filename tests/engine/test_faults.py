"""What goes wrong around the engine is told in one line, and nothing of the user's is touched."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testbed.cluster.errors import LocalError
from tests.engine.conftest import Programs

_PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
_WAITS = """
import pathlib, time
pathlib.Path({began!r}).touch()
while not pathlib.Path({end!r}).exists():
    time.sleep(0.05)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program without resources, and a user with a home, a backend and a stack of their own."""
    user = tmp_path / "user"
    user.mkdir()
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///nonexistent")
    monkeypatch.setenv("PULUMI_STACK", "theirs")
    monkeypatch.delenv(_PASSPHRASE, raising=False)
    directory = tmp_path / "program"
    directory.mkdir()
    (directory / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (directory / "Pulumi.dev.yaml").write_text("# theirs\nconfig:\n  small:size: 3\n")
    (directory / "__main__.py").write_text(
        "import pulumi\npulumi.export('size', pulumi.Config().require_int('size'))\n"
    )
    return directory


def test_nothing_of_the_users_is_touched(programs: Programs, program: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in program.iterdir()}
    engine = programs.home(tmp_path / "home").engine(program, "dev")
    engine.up()
    stack = engine.export()["resources"][0]
    assert stack["outputs"] == {"size": 3}
    assert {path.name: path.read_bytes() for path in program.iterdir()} == before
    assert not (tmp_path / "user" / ".pulumi").exists()


def test_a_lock_held_by_another_update_is_named(
    programs: Programs, program: Path, tmp_path: Path
) -> None:
    home = programs.home(tmp_path / "home")
    began, end = tmp_path / "began", tmp_path / "end"
    (program / "__main__.py").write_text(_WAITS.format(began=str(began), end=str(end)))
    engine = home.engine(program, "dev")
    with ThreadPoolExecutor(1) as other:
        update = other.submit(engine.up)
        while not began.exists() and not update.done():
            pass
        try:
            with pytest.raises(LocalError, match="locked by another update") as caught:
                engine.up()
        finally:
            end.touch()
        update.result()
    assert "\n" not in caught.value.cause


def test_a_backend_that_refuses_is_named(programs: Programs, program: Path, tmp_path: Path) -> None:
    home = programs.home(tmp_path / "home")
    home.backend = f"file://{tmp_path}/nowhere"
    with pytest.raises(LocalError, match="nowhere") as caught:
        home.engine(program, "dev").up()
    assert "\n" not in caught.value.cause


def test_a_missing_passphrase_is_asked_for(
    programs: Programs, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_PASSPHRASE, "theirs")
    theirs = programs.home(tmp_path / "theirs").engine(program, "dev")
    theirs.up()
    (program / "Pulumi.dev.yaml").write_text((theirs.directory / "Pulumi.dev.yaml").read_text())
    monkeypatch.delenv(_PASSPHRASE)
    with pytest.raises(LocalError, match="passphrase is missing or") as caught:
        programs.home(tmp_path / "home").engine(program, "dev").up()
    assert _PASSPHRASE in str(caught.value.advice)
