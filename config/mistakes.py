"""ConfigError for a wrong stack file, and mistakes from pydantic's findings."""

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi import RunError
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from grpc_platform.rules import Mistake, Path


class ConfigError(RunError):
    """The stack file is wrong; `problems` has one line for each mistake: path, value, remedy.

    A RunError, so that `pulumi up` prints these lines and no traceback.
    """

    exit_status = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


_LONGEST_KEY = 100  # comparing takes time, and no key is as long

_FORMER_KEYS = {
    "create_namespace": "is no longer a key; remove it, and list the namespace in a section of its "
    "own: `grpc-platform:namespaces: {<namespace>: {}}`",
}


def from_pydantic(
    errors: Iterable[ErrorDetails], root: type[BaseModel], raw: Mapping[str, Any]
) -> list[Mistake]:
    """Mistakes for pydantic's findings on `raw`, one per path."""
    mistakes: dict[Path, Mistake] = {}
    for error in errors:
        path = _path_in(raw, error["loc"], missing=error["type"] == "missing")
        missing = error["type"] == "missing"
        value = None if missing else _value_at(raw, path)
        remedy = _remedy(error, root)
        if value is not None and path[-1] == "kubeconfig":  # perhaps a kubeconfig's own text
            value, remedy = "(not shown)", "must be a file's path, on one line"
        mistakes.setdefault(path, Mistake(path, value, remedy))
    return list(mistakes.values())


def _remedy(error: ErrorDetails, root: type[BaseModel]) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return _unknown_key(str(error["loc"][-1]), _keys_at(root, error["loc"][:-1]))
        case "missing":
            return "is required"
        case "literal_error":
            return f"must be {context['expected']}"
        case "value_error":
            return str(context["error"]).removeprefix(f"{error['input']!r} ")
        case "dict_type" | "model_type":
            return "must be a mapping, {} for the defaults"
        case "tuple_type":
            return "must be a list"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']}"
        case "too_short":
            return f"must have at least {_items(context['min_length'])}"
        case "too_long":
            return f"must have at most {_items(context['max_length'])}"
        case _:
            return (
                error["msg"]
                .partition(", unable to ")[0]
                .replace("Input should", "must")
                .replace("must be a valid integer", "must be an integer")
                .replace("must be a valid", "must be a")
            )


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"


def unknown_section(key: str, root: type[BaseModel]) -> Mistake:
    """The remedy for a top-level key that is not a section."""
    return Mistake((key,), None, _unknown_key(key, list(root.model_fields)))


def _unknown_key(key: str, known: Sequence[str]) -> str:
    if key in _FORMER_KEYS:
        return _FORMER_KEYS[key]
    nearest = _nearest(key, known)
    if nearest:
        return f"unknown key; did you mean {nearest}?"
    return f"unknown key; known ones are {', '.join(known)}"


def meant(path: Path, root: type[BaseModel]) -> Path:
    """`path`, or that of the key which its last one resembles, when it is none itself."""
    nearest = _nearest(str(path[-1]), _keys_at(root, path[:-1]))
    return (*path[:-1], nearest) if nearest else path


def _nearest(key: str, known: Sequence[str]) -> str | None:
    return next(
        iter(difflib.get_close_matches(key[:_LONGEST_KEY], known, n=1, cutoff=0.5)),
        None,
    )


def _keys_at(model: type[BaseModel], loc: Path) -> list[str]:
    """The keys of the model at `loc`, starting from `model`."""
    current: Any = model
    for part in loc:
        current = _model_in(current)
        if current is None:
            return []
        if hasattr(current, "model_fields"):
            current = current.model_fields[str(part)].annotation
        else:
            current = typing.get_args(current)[-1 if isinstance(part, str) else 0]
    return list(getattr(_model_in(current), "model_fields", ()))


def _model_in(annotation: Any) -> Any:
    """A model, or a container of models, under Optional and Annotated."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _model_in(typing.get_args(annotation)[0])
    if origin in {types.UnionType, typing.Union}:
        return next((m for a in typing.get_args(annotation) if (m := _model_in(a))), None)
    if origin in {dict, tuple}:
        return annotation
    return annotation if hasattr(annotation, "model_fields") else None


def _path_in(raw: Any, loc: Path, *, missing: bool) -> Path:
    """`loc` without what pydantic adds for the branches of a union or the key of a mapping."""
    path: list[str | int] = []
    for part in loc:
        if isinstance(raw, Mapping) and (part in raw or missing):
            raw = raw.get(part)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        elif isinstance(raw, list) and isinstance(part, int) and part < len(raw):  # pyright: ignore[reportUnknownArgumentType]
            raw = raw[part]  # pyright: ignore[reportUnknownVariableType]
        else:
            break
        path.append(part)
    return tuple(path)


def _value_at(raw: Any, path: Path) -> Any:
    for part in path:
        raw = raw[part]
    return raw
