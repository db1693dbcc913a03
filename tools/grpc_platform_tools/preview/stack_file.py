"""Read a stack's config as the engine would pass it to the program."""

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.plain import is_list, is_mapping

_MOST = 1_000_000
"""The most nodes in a file, with its aliases expanded."""

_LARGEST = 4 * 1024 * 1024
"""The largest file that is read, in bytes: many times that of 1,000 services."""

_LONGEST_PATH = 256  # the operating system refuses longer names

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""The names of projects and stacks that Pulumi accepts."""

ENCRYPTED = "[encrypted config value]"
"""A preview's stand-in for a value that it cannot decrypt."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """The config in `Pulumi.yaml` and `Pulumi.<stack>.yaml`.

    `config` maps full keys (`aws:region`) to the values that the engine passes: text as it is,
    anything else as JSON with its keys sorted, and ENCRYPTED for an encrypted value. `secret_keys`
    are the keys with such a value at any depth: the engine too marks only a whole key as secret.
    """

    project: str
    config: Mapping[str, str]
    secret_keys: tuple[str, ...]
    environments: tuple[str, ...] = ()
    """Environments of Pulumi ESC: their values are not known here."""

    @property
    def warnings(self) -> list[str]:
        """Warnings about config that a preview cannot know."""
        names = ", ".join(self.environments)
        return [f"config from {names} (Pulumi ESC) is not known here"] if names else []


def read_stack_file(directory: Path, stack: str) -> StackFile:
    """The config of `stack` of the program in `directory`.

    Raises UserError when there is no such program or stack, and, with file and line, for YAML that
    cannot be read.
    """
    name, _ = read_project(directory)
    texts = {key: _text(value) for key, value in config_values(directory, stack).items()}
    return StackFile(
        project=name,
        config=texts,
        secret_keys=tuple(sorted(key for key, text in texts.items() if ENCRYPTED in text)),
        environments=_environments(_stack_document(directory, stack).get("environment")),
    )


def read_project(directory: Path) -> tuple[str, dict[str, Any]]:
    """The name of the project in `directory`, and the content of its Pulumi.yaml.

    Raises UserError if there is none.
    """
    path = directory / "Pulumi.yaml"
    if not path.is_file():
        raise UserError(
            f"no Pulumi.yaml in {directory.resolve()}: not a Pulumi program; name one by --program"
        )
    project = _mapping(path, _parse(path))
    name = project.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"{path}: name: must be the project's name: letters, digits and _.-")
    for key in ("main", "stackConfigDir", "config"):
        place = project.get(key)
        if isinstance(place, str) and not (len(place) < _LONGEST_PATH and place.isprintable()):
            raise UserError(f"{path}: {key}: must be a path")
    return name, project


def config_values(directory: Path, stack: str) -> dict[str, Any]:
    """The config of `stack` by full key, with the project's defaults; ciphertext stays as it is.

    Raises UserError as `read_stack_file` does.
    """
    name, project = read_project(directory)
    defaults = project.get("config")
    if isinstance(defaults, str):  # formerly the name of stackConfigDir
        defaults = {}
    values = {
        _full_key(name, key): _default(value)
        for key, value in _mapping(directory / "Pulumi.yaml", defaults, "config: ").items()
        if _default(value) is not None
    }
    of_stack = _stack_document(directory, stack).get("config")
    given = _mapping(_path(directory, stack), of_stack, "config: ")
    return values | {_full_key(name, key): value for key, value in given.items()}


def environment_values(directory: Path, stack: str) -> dict[str, Any]:
    """The Pulumi ESC settings in the file of `stack`, in the form of `config_values`: the
    environments that it imports. Its own definitions are hidden like ciphertext."""
    given = _stack_document(directory, stack).get("environment")
    names = _environments(given)
    values: dict[str, Any] = {"environment": list(names)} if names else {}
    if is_mapping(given) and (own := {k: v for k, v in given.items() if k != "imports"}):
        values["environment (its own)"] = {"secure": json.dumps(own)}
    return values


def stacks_of(directory: Path) -> list[str]:
    """The stacks that have a file for the program in `directory`."""
    folder = _path(directory, "").parent
    names = [path.name for path in folder.glob("Pulumi.?*.yaml") if path.is_file()]
    stacks = (name.removeprefix("Pulumi.").removesuffix(".yaml") for name in names)
    return sorted(filter(_NAME.fullmatch, stacks))


def _path(directory: Path, stack: str) -> Path:
    """The file of a stack: beside Pulumi.yaml, or in the folder that `stackConfigDir` names there
    (in older projects `config`)."""
    try:
        _, project = read_project(directory)
    except UserError:  # reading the project reports that
        project = {}
    folder = project.get("stackConfigDir") or project.get("config")
    return directory / (folder if isinstance(folder, str) else ".") / f"Pulumi.{stack}.yaml"


def _stack_document(directory: Path, stack: str) -> dict[str, Any]:
    stacks = stacks_of(directory)
    if stack not in stacks:
        known = f"stacks here: {', '.join(stacks)}" if stacks else "there is no Pulumi.<stack>.yaml"
        raise UserError(f"no stack {stack!r} in {directory}; {known}")
    path = _path(directory, stack)
    return _mapping(path, _parse(path))


def _environments(given: Any) -> tuple[str, ...]:
    """The names in `environment:`, which is a list or a mapping with `imports`. An entry may be a
    mapping from the name to its merge options."""
    entries = given.get("imports") if is_mapping(given) else given
    listed = entries if is_list(entries) else []
    names = [[*entry] if is_mapping(entry) else [entry] for entry in listed]
    return tuple(str(name) for several in names for name in several)


def _full_key(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _default(value: Any) -> Any:
    """A project's entry is a value, or a declaration with a value or default among its keys. An
    entry that is declared secret is hidden like an encrypted one."""
    if is_mapping(value):
        given = value.get("value", value.get("default"))
        secret = value.get("secret") is True and given is not None
        return {"secure": "declared in Pulumi.yaml"} if secret else given
    return value


def _text(value: Any) -> str:
    plain = _without_ciphertext(value)
    if isinstance(plain, str):
        return plain
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))  # as Go's encoding/json


def _without_ciphertext(value: Any) -> Any:
    if is_mapping(value):
        if is_ciphertext(value):
            return ENCRYPTED
        return {key: _without_ciphertext(item) for key, item in value.items()}
    if is_list(value):
        return [_without_ciphertext(item) for item in value]
    return value


def is_ciphertext(value: Any) -> bool:
    """Whether a config value is what `pulumi config set --secret` writes."""
    return is_mapping(value) and list(value) == ["secure"] and isinstance(value["secure"], str)


def _mapping(path: Path, document: Any, where: str = "") -> dict[str, Any]:
    if document is None:
        return {}
    if not is_mapping(document):
        raise UserError(f"{path}: {where}must be a mapping")
    return document


def parse_yaml(text: str | bytes) -> Any:
    """A document that JSON can hold, since the engine passes values as JSON. It cannot hold a set
    or an alias of itself.

    Raises yaml.YAMLError or ValueError.
    """
    with _readable():
        document = yaml.load(text, _TextKeys)
        # Go writes no NaN, and protobuf no half of a surrogate pair.
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
        return document


def parse_all_yaml(text: str | bytes) -> list[Any]:
    """All documents of a text but the empty ones, in the same way."""
    with _readable():
        documents = [d for d in yaml.load_all(text, _Loader) if d is not None]
        json.dumps(documents)
        return documents


@contextmanager
def _readable() -> Generator[None]:
    """PyYAML raises unusual exceptions for some texts: `!!bool x` is a KeyError."""
    try:
        yield
    except (yaml.YAMLError, ValueError):
        raise
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except TypeError as error:  # JSON's
        raise ValueError(str(error)) from error
    except Exception as error:
        raise ValueError(f"a value cannot be read: {error}") from error


def _parse(path: Path) -> Any:
    try:
        document = parse_yaml(_content(path))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise UserError(f"{where}: {error.problem or error.context}") from error
    except (yaml.YAMLError, OSError, ValueError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    return document


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"has more than {_LARGEST // 1024**2} MiB")
    return content


class _Loader(yaml.SafeLoader):
    """YAML as the engine reads it (gopkg.in/yaml.v3), not as PyYAML would: `on`, `no` and `12:30`
    are text, a date stays text. A key given twice is an error, and so are aliases that expand to
    more than any real file holds."""

    def __init__(self, stream: str | bytes) -> None:
        super().__init__(stream)
        self._expanded = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        before, alias = self._expanded, self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._expanded += self._sizes.get(id(node), 0) if alias else 1
        if not alias:
            self._sizes[id(node)] = self._expanded - before
        elif self._expanded > _MOST:
            raise ComposerError(None, None, "aliases expand to too much", node and node.start_mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


class _TextKeys(_Loader):
    """The keys of config are text for the engine."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep)
        for key in mapping:
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is not text; quote it", node.start_mark
                )
        return mapping


_Loader.yaml_implicit_resolvers = {}  # by the first character of a value
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    ("int", r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0[0-7_]+|0b[01_]+)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    for _character in _first:
        _Loader.yaml_implicit_resolvers.setdefault(_character, []).append(
            (f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"))
        )
