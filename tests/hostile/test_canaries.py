"""A secret appears in nothing that a preview or a diff leaves, prints or starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from config.load import load_settings
from config.mistakes import ConfigError
from grpc_platform_tools.preview.record import record
from tests.config.stack import refusals
from tests.tools.diff.conftest import Repo
from tests.tree import ROOT, copy_tree

CANARY = "canary-5f0e1d"
ENVIRONMENT = {
    name: f"{CANARY}-{name}"
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN"),
        *("PULUMI_CONFIG_PASSPHRASE", "PULUMI_ACCESS_TOKEN", "KUBECONFIG", "NETRC", "ANYTHING"),
    )
} | {"PULUMI_CONFIG": json.dumps({"grpc-platform:tags": f"{CANARY}-config"})}
COMMAND = [sys.executable, "-m", "grpc_platform_tools"]


def left_by(folder: Path) -> str:
    """All that is in the files of a folder, and their names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return "".join(f"{path}\n{path.read_text(errors='replace')}" for path in files)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This program with an existing cluster whose kubeconfig is encrypted, in a repository."""
    folder = tmp_path_factory.mktemp("canaries")
    copy_tree(folder)
    file = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    existing = {"existing": {"context": "local"}}
    config = file["config"]
    config["grpc-platform:clusters"]["local"] = existing
    config["grpc-platform:kubeconfig-local"] = {"secure": f"v1:{CANARY}-ciphertext"}
    config["grpc-platform:image_pull_secrets"] = ["registry"]
    config["grpc-platform:services"]["greeter"] = {"tls_secret": "greeter-tls"}
    config["aws:secretKey"] = {"secure": f"v1:{CANARY}-aws"}
    config["other:token"] = {"deep": [{"secure": f"v1:{CANARY}-deep"}]}
    for name in ("dev", "prod"):
        (folder / f"Pulumi.{name}.yaml").unlink()
    (folder / "Pulumi.local.yaml").write_text(
        yaml.safe_dump({**file, "encryptionsalt": f"v1:{CANARY}-salt"})
    )
    return folder


def run(folder: Path, *arguments: str) -> str:
    """What a command prints; its environment is full of secrets."""
    done = subprocess.run(
        [*COMMAND, *arguments, "--program", folder],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 2), done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_no_secret_is_in_what_a_preview_prints_and_leaves(program: Path) -> None:
    printed = run(program, "preview", "local")
    left = left_by(program / "build" / "preview")
    assert "greeter-tls" in left  # a Secret's name is none
    assert CANARY not in printed + left
    resources = json.loads((program / "build/preview/local/resources.json").read_text())
    (provider,) = [r for r in resources if r["type"] == "pulumi:providers:kubernetes"]
    assert provider["secret_paths"] == ["inputs.kubeconfig"]


def test_no_secret_is_in_what_a_diff_prints_and_leaves(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")
    source = (
        "import pulumi, os\nfrom pulumi_aws import ssm\n"
        "token = pulumi.Config().require_secret('token')\n"
        "seen = repr([*os.environ.values()])\n"
        "ssm.Parameter('p', type='SecureString', value=token, description=seen)\n"
        "pulumi.export('token', token)\n"
    )
    stack = "config: {{shop:token: {{secure: v1:{}-{}}}}}\nencryptionsalt: v1:{}-salt\n"
    repo.commit({"__main__.py": source, "Pulumi.dev.yaml": stack.format(CANARY, 1, CANARY)})
    repo.write({"Pulumi.dev.yaml": stack.format(CANARY, 2, CANARY)})
    printed = run(repo.root, "diff", "HEAD")
    assert CANARY not in printed + left_by(repo.root / "build")


def test_a_line_about_a_section_with_an_encrypted_value_shows_none_of_it() -> None:
    """The engine hands the section over decrypted."""
    config = {
        "grpc-platform:zone": json.dumps({"name": f"{CANARY}!", "public": CANARY}),
        "grpc-platform:tags": CANARY,
        "grpc-platform:kubeconfig-x": CANARY,
        "aws:region": CANARY,
    }
    with pytest.raises(ConfigError) as refused:
        record(load_settings, config=config, secret_keys=tuple(config))
    lines = "\n".join(refused.value.problems)
    assert "zone: holds an encrypted value" in lines
    assert CANARY not in lines


@pytest.mark.parametrize(
    "kubeconfig", [f"users:\n- token: {CANARY}", {"token": CANARY}, [CANARY], CANARY * 500]
)
def test_a_kubeconfigs_content_in_place_of_its_path_is_not_shown(kubeconfig: object) -> None:
    existing = {"context": "c", "kubeconfig": kubeconfig, "eks_cluster_name": "there"}
    assert refusals({"clusters.there": {"existing": existing, "serves": False}}) == [
        "clusters.there.existing.kubeconfig = (not shown): must be a file's path, on one line"
    ]


def test_a_password_in_an_endpoint_is_refused() -> None:
    endpoint = "https://user:password@route53.example.com"
    [line] = refusals({"external_dns": {"route53_endpoint": endpoint}})
    assert line.startswith("external_dns.route53_endpoint = ")
