"""A stack's config reaches the program as the engine would pass it."""

import json
from pathlib import Path

import pytest

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.preview.stack_file import (
    ENCRYPTED,
    StackFile,
    config_values,
    environment_values,
    is_ciphertext,
    read_stack_file,
    stacks_of,
)

TOY = Path(__file__).parent / "programs" / "greeter"


def read(directory: Path, stack_file: str, project: str = "name: shop\n") -> StackFile:
    """What is read of these two files."""
    (directory / "Pulumi.yaml").write_text(project)
    (directory / "Pulumi.dev.yaml").write_text(stack_file)
    return read_stack_file(directory, "dev")


def refusal(directory: Path, stack_file: str, project: str = "name: shop\n") -> str:
    """The one problem these two files are refused with."""
    with pytest.raises(UserError) as refused:
        read(directory, stack_file, project)
    (problem,) = refused.value.problems
    return problem.replace(str(directory), "DIR")


def config_of(directory: Path, stack_file: str) -> dict[str, str]:
    """The config these two files hold."""
    return dict(read(directory, stack_file).config)


def test_a_key_without_a_colon_is_the_projects(tmp_path: Path) -> None:
    config = config_of(tmp_path, "config:\n  size: small\n  aws:region: eu-west-1\n")
    assert config == {"shop:size": "small", "aws:region": "eu-west-1"}


def test_values_that_are_not_text_are_passed_as_json(tmp_path: Path) -> None:
    config = config_of(
        tmp_path, "config:\n  a: 3\n  b: true\n  c: 1.5\n  d: {x: [1, null]}\n  e:\n"
    )
    assert list(config.values()) == ["3", "true", "1.5", '{"x":[1,null]}', "null"]


def test_the_keys_of_a_mapping_are_sorted_as_the_engine_sorts_them(tmp_path: Path) -> None:
    config = config_of(tmp_path, "config:\n  a: {z: 1, b: [{y: 2, x: 3}]}\n")
    assert config == {"shop:a": '{"b":[{"x":3,"y":2}],"z":1}'}


def test_yaml_reads_as_in_go_not_as_in_python(tmp_path: Path) -> None:
    text = (
        "config:\n  a: on\n  b: no\n  c: 12:30\n  d: 2026-01-02\n  e: 0x10\n  f: 5m\n  g: 1_000\n"
    )
    values = list(config_of(tmp_path, text).values())
    assert values == ["on", "no", "12:30", "2026-01-02", "16", "5m", "1000"]


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    text = "config:\n  base: &base {size: 1}\n  big: {<<: *base, size: 2, kind: x}\n"
    assert json.loads(config_of(tmp_path, text)["shop:big"]) == {"size": 2, "kind": "x"}


def test_the_projects_own_config_is_a_default() -> None:
    assert read_stack_file(TOY, "dev").config["toy:zone"] == "grpc.example"
    assert read_stack_file(TOY, "prod").config["toy:zone"] == "prod.example"


def test_a_projects_plain_value_and_declared_value_are_defaults_too(tmp_path: Path) -> None:
    project = (
        "name: shop\nconfig:\n  plain: 1\n  aws:region:\n    value: eu-west-1\n"
        "  needed:\n    type: string\n"
    )
    config = read(tmp_path, "", project).config
    assert config == {"shop:plain": "1", "aws:region": "eu-west-1"}


def test_an_encrypted_value_at_any_depth_has_a_stand_in() -> None:
    found = read_stack_file(TOY, "prod")
    assert found.secret_keys == ("toy:database", "toy:token")
    assert found.config["toy:token"] == ENCRYPTED
    assert json.loads(found.config["toy:database"]) == {"user": "app", "password": ENCRYPTED}


def test_a_mapping_with_more_than_secure_is_not_encrypted(tmp_path: Path) -> None:
    found = read(tmp_path, "config:\n  a: {secure: x, other: y}\n  b: {secure: true}\n")
    assert found.secret_keys == ()


def test_a_value_that_the_project_declares_secret_is_as_hidden_as_an_encrypted_one(
    tmp_path: Path,
) -> None:
    project = "name: shop\nconfig: {a: {secret: true, default: xyz}, b: {secret: true, value: 1}}"
    found = read(tmp_path, "", project)
    assert found.secret_keys == ("shop:a", "shop:b")
    assert all(map(is_ciphertext, config_values(tmp_path, "dev").values()))
    assert "xyz" not in repr(config_values(tmp_path, "dev"))


def test_neither_a_folder_nor_a_file_without_a_name_is_a_stack(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.x.yaml").mkdir()
    for name in ("Pulumi..yaml", "Pulumi.yaml", "Pulumi.dev.yaml"):
        (tmp_path / name).write_text("")
    assert stacks_of(tmp_path) == ["dev"]


def test_aliases_that_stand_for_too_much_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 x", *(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(9))]
    where = refusal(tmp_path, "\n".join(lines))
    assert where == "DIR/Pulumi.dev.yaml:7:5: aliases expand to too much"


@pytest.mark.parametrize("key", ["stackConfigDir", "config"])
def test_stack_files_are_where_the_project_says(tmp_path: Path, key: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: shop\n{key}: stacks\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {size: 1}\n")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text("config: {size: 2}\n")
    assert stacks_of(tmp_path) == ["prod"]
    assert read_stack_file(tmp_path, "prod").config == {"shop:size": "2"}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("[shop/aws, shop/dns]", ["shop/aws", "shop/dns"]),
        ("{imports: [shop/aws, {shop/dns: {merge: false}}]}", ["shop/aws", "shop/dns"]),
        ("", []),
    ],
)
def test_environments_are_named_and_what_they_give_is_said_to_be_unknown(
    tmp_path: Path, given: str, names: list[str]
) -> None:
    found = read(tmp_path, f"environment: {given}\n")
    assert list(found.environments) == names
    said = [f"config from {', '.join(names)} (Pulumi ESC) is not known here"] if names else []
    assert found.warnings == said


def test_what_a_stack_file_defines_as_an_environment_itself_is_not_shown(tmp_path: Path) -> None:
    read(tmp_path, "environment: {imports: [a], values: {fn::secret: swordfish}}\n")
    found = environment_values(tmp_path, "dev")
    assert found["environment"] == ["a"]
    assert is_ciphertext(found["environment (its own)"])


def test_an_unknown_stack_is_refused_with_the_existing_ones() -> None:
    with pytest.raises(UserError, match=r"no stack 'staging' in .*; stacks here: dev, prod$"):
        read_stack_file(TOY, "staging")


def test_a_directory_without_a_program_or_stack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a Pulumi program"):
        read_stack_file(tmp_path, "dev")
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    with pytest.raises(UserError, match=r"there is no Pulumi.<stack>.yaml"):
        read_stack_file(tmp_path, "dev")


@pytest.mark.parametrize(
    ("stack_file", "problem"),
    [
        ("config:\n  a: [1\n  b: 2\n", "DIR/Pulumi.dev.yaml:3:4: expected ',' or ']', but got ':'"),
        ("config:\n  a: 1\n  a: 2\n", "DIR/Pulumi.dev.yaml:3:3: the key 'a' is given twice"),
        (
            "config:\n\t- 1\n",
            "DIR/Pulumi.dev.yaml:2:1: found character '\\t' that cannot start any",
        ),
        ("config: [1]\n", "DIR/Pulumi.dev.yaml: config: must be a mapping"),
        ("- 1\n", "DIR/Pulumi.dev.yaml: must be a mapping"),
        ("config: {a: !!python/name:os.system x}", "DIR/Pulumi.dev.yaml:1:13: could not determine"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(
    tmp_path: Path, stack_file: str, problem: str
) -> None:
    assert refusal(tmp_path, stack_file).startswith(problem)


def test_a_project_file_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, "", "name: [\n").startswith("DIR/Pulumi.yaml:2:1: ")
    assert refusal(tmp_path, "", "runtime: python\n").endswith(
        "name: must be the project's name: letters, digits and _.-"
    )


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    (tmp_path / "Pulumi.dev.yaml").write_bytes(b"config: \xff\xff\n")
    with pytest.raises(UserError, match=r"Pulumi\.dev\.yaml: .*invalid start byte"):
        read_stack_file(tmp_path, "dev")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("&a {x: *a}", "Circular reference detected"),
        ("!!set {x}", "Object of type set is not JSON serializable"),
        ("!!bool foo", "a value cannot be read: 'foo'"),
        ("!!timestamp x", "a value cannot be read: 'NoneType' object has no attribute 'groupdict'"),
        ("[" * 2000 + "]" * 2000, "nested too deeply"),
    ],
)
def test_a_value_the_engine_could_not_pass_is_refused(value: str, why: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, f"config:\n  a: {value}\n") == f"DIR/Pulumi.dev.yaml: {why}"
