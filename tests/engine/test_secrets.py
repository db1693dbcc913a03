"""The real engine leaves and says no secret of a stack: not its config's, nor its environment's."""

import contextlib
import json
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

from testbed.cluster.errors import LocalError
from testbed.engine.home import Engine
from testbed.engine.outcome import PASSPHRASE, Step
from testbed.engine.running import Running
from tests.engine.conftest import Programs
from tests.tree import ROOT

CANARY = "canary-5f0e1d"
KUBECONFIG = f"{{apiVersion: v1, users: [{{name: a, user: {{token: {CANARY}-token}}}}]}}"
KEYS = {
    name: f"{CANARY}-{name}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN")
}
PROGRAM = """
import pulumi
import grpc_platform as gp

config = pulumi.Config()
kubeconfig = config.require_secret("kubeconfig-there")
gp.ExistingCluster("there", gp.ExistingClusterArgs(kubeconfig=kubeconfig))
pulumi.export("token", config.require_secret("token"))
"""


def encrypt(engine: Engine, **values: str) -> None:
    """Set secrets of a stack, as a user does."""
    engine.pulumi("stack", "init", engine.stack)
    for path, value in values.items():
        given = ("--secret", "--path", f"{engine.project}:{path}", value)
        engine.pulumi("config", "set", *given, "--stack", engine.stack)


def running_commands(running: Running) -> list[str]:
    """The command lines of the engine and of all that it started."""
    found: list[str] = []
    for process in running.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended
            found.append(" ".join(process.cmdline()))
    return found


def test_no_secret_is_in_what_an_update_leaves_says_or_starts(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE, f"{CANARY}-passphrase")
    program = tmp_path / "program"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: canaries\nruntime: python\n")
    (program / "Pulumi.dev.yaml").write_text("{}\n")
    (program / "__main__.py").write_text(PROGRAM)
    engine = programs.home(tmp_path / "home").engine(program, "dev")
    encrypt(engine, **{"kubeconfig-there": KUBECONFIG, "token": f"{CANARY}-config"})
    commands: list[str] = []

    def look(_step: Step, running: Running) -> None:
        commands.extend(running_commands(running))

    planned = engine.preview(environment=KEYS)
    done = engine.up(environment=KEYS, when=look)
    shown = engine.pulumi("stack", "output", "--json", "--stack", "dev")
    state = engine.pulumi("stack", "export", "--stack", "dev")
    assert done.changed["create"] >= 3
    assert any("pulumi" in command for command in commands)
    assert json.loads(shown) == {"token": "[secret]"}
    search = ["grep", "-rla", CANARY, str(tmp_path / "home")]
    found = subprocess.run(search, capture_output=True, text=True, check=False)
    for path in map(Path, found.stdout.split()):
        # The Kubernetes provider writes it for libraries that read files only, and leaves it there.
        assert path.parent == tmp_path / "home" / "tmp"
        assert path.name.startswith("kubeconfig")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert CANARY not in repr((planned, done, commands, shown, state))


def test_a_refusal_shows_nothing_of_a_section_with_an_encrypted_value(
    programs: Programs, tmp_path: Path
) -> None:
    home = programs.home(tmp_path / "home")
    engine = home.engine(ROOT, "local")
    encrypt(engine, **{"zone.name": f"{CANARY}!", "image_pull_secrets[0]": f"{CANARY}!"})
    with pytest.raises(LocalError) as refused:
        engine.preview()
    assert "zone: holds an encrypted value" in refused.value.cause
    log = "".join(path.read_text() for path in (tmp_path / "home" / "logs").iterdir())
    assert CANARY not in refused.value.cause + log
