"""Read a program's own fixtures, which answer for what an engine would have asked others."""

import json
from pathlib import Path
from typing import Any

import yaml

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.preview.fixtures import FILE, Computed, Fixtures, LookUp
from grpc_platform_tools.preview.stack_file import parse_yaml


def read_fixtures(directory: Path) -> Fixtures:
    """The fixtures of the program in `directory`; none where it has no such file.

    Raises UserError with the file, and the place in it, that cannot be used.
    """
    path = directory / FILE
    if not path.is_file():
        return Fixtures()
    document = _document(path)
    given = _mapping(document, str(path), {"stacks", "lookups", "computed"})
    stacks = _mapping(given.get("stacks"), f"{path}: stacks")
    return Fixtures(
        stacks={name: _outputs(path, name, value) for name, value in stacks.items()},
        lookups=tuple(
            LookUp(
                function=_text(entry, "function", where),
                arguments=_mapping(entry.get("arguments"), f"{where}.arguments"),
                result=_mapping(entry.get("result"), f"{where}.result"),
            )
            for where, entry in _entries(
                given, "lookups", path, {"function", "arguments", "result"}
            )
        ),
        computed=tuple(
            Computed(
                type=_text(entry, "type", where),
                name=_text(entry, "name", where) if "name" in entry else None,
                outputs=_mapping(entry.get("outputs"), f"{where}.outputs"),
            )
            for where, entry in _entries(given, "computed", path, {"type", "name", "outputs"})
        ),
    )


def _outputs(path: Path, stack: str, value: Any) -> dict[str, Any]:
    """A stack's outputs, written out or in a file such as the `outputs.json` of a preview."""
    if not isinstance(value, str):
        return _mapping(value, f"{path}: stacks.{stack}")
    file = path.parent / value
    if not file.is_file():
        raise UserError(f"{path}: stacks.{stack}: there is no file {file}")
    return _mapping(_document(file), str(file))


def _document(path: Path) -> Any:
    try:
        return parse_yaml(path.read_bytes())
    except (yaml.YAMLError, OSError, ValueError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error


def _entries(
    given: dict[str, Any], section: str, path: Path, keys: set[str]
) -> list[tuple[str, dict[str, Any]]]:
    value: object = given.get(section) or []
    if not isinstance(value, list):
        raise UserError(f"{path}: {section}: must be a list")
    elements: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
    places = [f"{path}: {section}[{index}]" for index in range(len(elements))]
    return [
        (where, _mapping(entry, where, keys)) for where, entry in zip(places, elements, strict=True)
    ]


def _mapping(value: Any, where: str, keys: set[str] | None = None) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):  # pyright: ignore[reportUnknownVariableType]
        raise UserError(f"{where}: must be a mapping")
    items: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
    if keys and (strange := sorted(items.keys() - keys)):
        raise UserError(f"{where}: {strange[0]}: unknown key; there are {', '.join(sorted(keys))}")
    return items


def _text(entry: dict[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise UserError(f"{where}.{key} = {json.dumps(value)}: must be text")
    return value
