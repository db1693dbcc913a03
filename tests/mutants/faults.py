"""Every fault that the operators make in a module: what is dropped, swapped or set otherwise."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.legal import other

PACKAGE = Path(__file__).parents[2] / "components" / "grpc_platform"

_NO_SETTINGS = {"dataclass", "field", "ConfigDict", "TypeVar", "ValueError", "RunError", "cast"}
"""Calls whose arguments set nothing that a stack has."""
_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_LONGEST_PART = 48


@dataclass(frozen=True)
class Fault:
    """One fault in one module. `apply` plants it in the tree that it was found in."""

    id: str
    """`contour/contour.py:_container:ContainerArgs.readiness_probe:drop`."""
    line: int
    scope: str
    """The qualified name of the outermost function around it; empty at the module's level."""
    apply: Callable[[], None]


@dataclass(frozen=True)
class _Found:
    node: ast.AST
    scope: str
    function: str
    name: str
    apply: Callable[[], None]


def modules() -> list[str]:
    """The modules of the components, as paths within the package."""
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    return sorted(str(path) for path in paths if not path.name.startswith("__"))


def tree_of(module: str) -> ast.Module:
    """The module's source, parsed."""
    return ast.parse((PACKAGE / module).read_text())


def faults(module: str, tree: ast.Module) -> list[Fault]:
    """The faults of a module, in the order of its source."""
    compares = module.startswith("rules/") or module == "timing.py"
    seen: Counter[str] = Counter()
    found: list[Fault] = []
    for each in _Finder(compares=compares).of(tree, "", "", ""):
        name = f"{module}:{each.scope}:{each.name}"
        seen[name] += 1
        number = f"#{seen[name]}" if seen[name] > 1 else ""
        line: int = getattr(each.node, "lineno", 0)
        found.append(Fault(f"{name}{number}", line, each.function, each.apply))
    return found


class _Finder:
    """Walks a tree. `scope` is the qualified name around a node, `function` that of the outermost
    function, `place` the argument or entry that the node is the value of."""

    def __init__(self, *, compares: bool) -> None:
        self._compares = compares

    def of(self, node: ast.AST, scope: str, function: str, place: str) -> Iterator[_Found]:
        def found(at: ast.AST, name: str, apply: Callable[[], None]) -> _Found:
            return _Found(at, scope, function, name, apply)

        match node:
            case ast.FunctionDef() | ast.ClassDef():
                inner = f"{scope}.{node.name}" if scope else node.name
                if isinstance(node, ast.FunctionDef):
                    for default in (*node.args.defaults, *node.args.kw_defaults):
                        if default is not None:
                            yield from self.of(default, inner, function, "default")
                    function = function or inner
                for statement in node.body:
                    yield from self.of(statement, inner, function, "")
                return
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Raise() | ast.Import():
                return
            case ast.Expr(value=ast.Constant()) | ast.JoinedStr() | ast.Assert():
                return
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                if value is not None:
                    yield from self.of(value, scope, function, name)
                return
            case ast.Assign(targets=[ast.Tuple()]):
                return
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield from self.of(value, scope, function, name)
                return
            case ast.Subscript():
                yield from self.of(node.value, scope, function, place)
                return
            case ast.Call():
                yield from self._call(node, scope, function, found)
                return
            case ast.Dict():
                yield from self._dict(node, scope, function, place, found)
                return
            case ast.List() | ast.Tuple() | ast.Set():
                for index, element in enumerate(node.elts):
                    name = f"{place}[{_short(element)}]"
                    yield found(element, f"{name}:drop", _dropping(node.elts, index))
            case ast.Constant(value=value) if (changed := other(value)) is not None:
                yield found(
                    node, f"{place}={_short(node)}:set {changed!r}", _setting(node, changed)
                )
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) if self._compares:
                yield from self._condition(node, found)
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            yield from self.of(child, scope, function, place)

    def _call(
        self, node: ast.Call, scope: str, function: str, found: Callable[..., _Found]
    ) -> Iterator[_Found]:
        callee = ast.unparse(node.func).rpartition(".")[2]
        if callee in _NO_SETTINGS:
            return
        for index, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                name = f"{callee}.{keyword.arg}"
                yield found(keyword.value, f"{name}:drop", _dropping(node.keywords, index))
        for one, next_one in zip(node.keywords, node.keywords[1:], strict=False):
            if one.arg and next_one.arg and _alike(one.value, next_one.value):
                name = f"{callee}.{one.arg}:swap {next_one.arg}"
                yield found(one.value, name, _swapping(one, next_one))
        yield from self.of(node.func, scope, function, callee)
        for argument in node.args:
            yield from self.of(argument, scope, function, callee)
        for keyword in node.keywords:
            place = f"{callee}.{keyword.arg}" if keyword.arg else callee
            yield from self.of(keyword.value, scope, function, place)

    def _dict(
        self,
        node: ast.Dict,
        scope: str,
        function: str,
        place: str,
        found: Callable[..., _Found],
    ) -> Iterator[_Found]:
        for index, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
            name = f"{place}{{{_short(key) if key else '**' + _short(value)}}}"
            yield found(value, f"{name}:drop", _dropping_entry(node, index))
            following = node.values[index + 1 : index + 2]
            if key and following and node.keys[index + 1] and _alike(value, following[0]):
                yield found(value, f"{name}:swap next", _swapping_entries(node, index))
        for key, value in zip(node.keys, node.values, strict=True):
            inner = f"{place}{{{_short(key)}}}" if key else place
            yield from self.of(value, scope, function, inner)

    def _condition(
        self, node: ast.Compare | ast.BoolOp | ast.UnaryOp, found: Callable[..., _Found]
    ) -> Iterator[_Found]:
        if isinstance(node, ast.Compare):
            for index, operator in enumerate(node.ops):
                if flipped := _FLIPPED.get(type(operator)):
                    name = f"{_short(node)}:{flipped.__name__}"
                    yield found(node, name, _replacing(node.ops, index, flipped()))
        elif isinstance(node, ast.BoolOp):
            operator = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield found(
                node, f"{_short(node)}:{type(operator).__name__}", _operating(node, operator)
            )


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split()).strip("'")
    return text if len(text) <= _LONGEST_PART else f"{text[: _LONGEST_PART - 1]}…"


def _alike(one: ast.expr, other_one: ast.expr) -> bool:
    """Values of one kind that differ: constants of one type, or both read from elsewhere."""
    if ast.unparse(one) == ast.unparse(other_one):
        return False
    if isinstance(one, ast.Constant) and isinstance(other_one, ast.Constant):
        return type(one.value) is type(other_one.value)
    read = ast.Name | ast.Attribute | ast.Subscript
    return isinstance(one, read) and isinstance(other_one, read)


def _dropping(parts: list[ast.keyword] | list[ast.expr], index: int) -> Callable[[], None]:
    def apply() -> None:
        del parts[index]

    return apply


def _replacing(parts: list[ast.cmpop], index: int, new: ast.cmpop) -> Callable[[], None]:
    def apply() -> None:
        parts[index] = new

    return apply


def _operating(node: ast.BoolOp, new: ast.boolop) -> Callable[[], None]:
    def apply() -> None:
        node.op = new

    return apply


def _setting(node: ast.Constant, value: object) -> Callable[[], None]:
    def apply() -> None:
        node.value = value  # pyright: ignore[reportAttributeAccessIssue]

    return apply


def _swapping(one: ast.keyword, next_one: ast.keyword) -> Callable[[], None]:
    def apply() -> None:
        one.value, next_one.value = next_one.value, one.value

    return apply


def _dropping_entry(node: ast.Dict, index: int) -> Callable[[], None]:
    def apply() -> None:
        del node.keys[index], node.values[index]

    return apply


def _swapping_entries(node: ast.Dict, index: int) -> Callable[[], None]:
    def apply() -> None:
        values = node.values
        values[index], values[index + 1] = values[index + 1], values[index]

    return apply
