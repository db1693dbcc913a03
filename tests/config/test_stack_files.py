"""The committed stack files, read as the program reads them, and their schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from config import docs
from config.load import load_settings
from config.mistakes import ConfigError
from config.schema import stack_file_schema
from config.settings import Settings
from grpc_platform_tools.preview.record import record

ROOT = Path(__file__).parents[2]
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


def loaded(config: dict[str, str], secret_keys: tuple[str, ...] = ()) -> Settings:
    """What `load_settings` makes of a stack's config inside a running program."""
    found: list[Settings] = []
    record(lambda: found.append(load_settings()), config=config, secret_keys=secret_keys)
    return found[0]


def as_the_engine_passes_it(file: dict[str, Any]) -> dict[str, str]:
    values = file["config"].items()
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in values}


def validator() -> Any:
    """Its package leaves types out."""
    return jsonschema.Draft202012Validator(stack_file_schema())


@pytest.mark.parametrize("stack", STACKS)
def test_a_committed_stack_file_loads_and_obeys_its_schema(stack: str) -> None:
    file = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())
    validator().validate(file)
    settings = loaded(as_the_engine_passes_it(file))
    assert settings.environment == file["config"]["grpc-platform:environment"]


@pytest.mark.parametrize("stack", STACKS)
def test_an_editor_finds_the_schema_by_the_first_line(stack: str) -> None:
    first = (ROOT / f"Pulumi.{stack}.yaml").read_text().splitlines()[0]
    key, _, schema = first.partition("=")
    assert key == "# yaml-language-server: $schema"
    assert (ROOT / schema).is_file(), "text behind the path belongs to the next line"


def test_prod_is_what_the_mission_describes() -> None:
    file = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())
    settings = loaded(as_the_engine_passes_it(file))
    assert [cluster.serves for cluster in settings.clusters.values()] == [True, False]
    assert settings.network is not None
    assert len(settings.network.zones) == 3
    assert len(settings.services) >= 6
    assert str(settings.timing.max_connection_duration) == "0:05:00"


def test_the_schema_refuses_what_the_program_refuses() -> None:
    file = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    file["config"]["grpc-platform:envoys"] = {}
    file["config"]["grpc-platform:zone"]["record_ttl"] = "30 seconds"
    file["config"]["grpc-platform:clusters"]["dev"]["acess"] = {}
    assert len(list(validator().iter_errors(file))) == 3


def test_an_unknown_section_names_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError) as refused:
        loaded({"grpc-platform:enviroment": "production", "aws:region": "eu-west-1"})
    assert "enviroment: unknown key; did you mean environment?" in refused.value.problems


def test_an_encrypted_section_is_refused_because_it_could_not_be_kept_secret() -> None:
    with pytest.raises(ConfigError) as refused:
        loaded({"grpc-platform:tags": "{}"}, secret_keys=("grpc-platform:tags",))
    expected = "tags: holds an encrypted value; only kubeconfig-<cluster> may be one"
    assert expected in refused.value.problems


def test_a_kubeconfig_in_clear_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        loaded({"grpc-platform:kubeconfig-there": "token: x"})
    expected = (
        "kubeconfig-there: must be encrypted: pulumi config set --secret kubeconfig-there < FILE"
    )
    assert expected in refused.value.problems


def test_no_default_changes_unseen() -> None:
    """One that does changes every stack that does not set it; the reference shows it in a diff."""
    path = ROOT / "docs" / "configuration.md"
    assert docs.generated()[path] == path.read_text()


def test_every_key_is_in_the_reference() -> None:
    reference = docs.generated()[ROOT / "docs" / "configuration.md"]
    for key in ("clusters", "`timeouts.max_connection_duration`", "`node_groups.<name>.spot`"):
        assert key in reference
    assert "`circuit_breakers.max_requests`" in reference
