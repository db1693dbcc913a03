"""Read a program's own fixtures: answers to calls that an engine would make to providers and other
stacks.

Runs in the tool's own process, which has pydantic. A recorder under another Python gets the result.
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.preview.fixtures import FILE, Computed, Fixtures, LookUp
from grpc_platform_tools.preview.stack_file import parse_yaml

_FORM = TypeAdapter(Fixtures)
_MUST_BE = {
    "dict_type": "must be a mapping",
    "dataclass_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "missing": "is missing",
    "string_type": "must be text",
    "tuple_type": "must be a list",
}
_OTHERWISE = "cannot be used here"
_ENTRIES = {"lookups": LookUp, "computed": Computed}


def read_fixtures(directory: Path) -> Fixtures:
    """The fixtures of the program in `directory`; none if it has no such file.

    Raises UserError with a line for each place in the file that cannot be used.
    """
    path = directory / FILE
    if not path.is_file():
        return Fixtures()
    document = _document(path)
    if is_mapping(document):  # a key without a value counts as absent
        document = {key: value for key, value in document.items() if value is not None}
        if is_mapping(stacks := document.get("stacks")):
            document["stacks"] = {name: _outputs(path, name, v) for name, v in stacks.items()}
    try:
        return _FORM.validate_json(json.dumps({} if document is None else document))
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [_problem(each["type"], each["loc"], each["input"]) for each in found]
        raise UserError(*(f"{path}{problem}" for problem in problems)) from error


def _outputs(path: Path, stack: str, value: Any) -> Any:
    """A stack's outputs, written out or in a file such as the `outputs.json` of a preview."""
    if not isinstance(value, str):
        return value
    file = path.parent / value
    try:
        found = file.is_file()
    except OSError:  # its name is too long
        found = False
    if not found:
        raise UserError(f"{path}: stacks.{stack}: there is no file {file}")
    if not is_mapping(outputs := _document(file)):
        raise UserError(f"{file}: must be a mapping")
    return outputs


def _document(path: Path) -> Any:
    try:
        return parse_yaml(path.read_bytes())
    except (yaml.YAMLError, OSError, ValueError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error


def _problem(kind: str, place: tuple[int | str, ...], value: Any) -> str:
    """`: lookups[0].function = 3: must be text`."""
    where = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in place)
    where = f": {where.lstrip('.')}" if where else ""
    if kind == "unexpected_keyword_argument":
        known = fields(_ENTRIES[str(place[0])] if len(place) > 1 else Fixtures)
        return f"{where}: unknown key; there are {', '.join(sorted(f.name for f in known))}"
    said = "" if kind == "missing" else f" = {json.dumps(value)}"[:60]
    return f"{where}{said}: {_MUST_BE.get(kind, _OTHERWISE)}"
