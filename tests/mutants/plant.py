"""Plants a fault in the running process. The files of the checkout stay as they are.

A fault in a function replaces that function's code in place. One at a module's level, or in a
function that runs on import, needs the components imported anew: the caller then drops them from
`sys.modules`, and `loading` gives the faulty module in place of its file.
"""

import ast
import copy
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from inspect import getattr_static
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tests.mutants.faults import PACKAGE, faults, tree_of

_MARK = "__reached__"

reached: set[str] = set()
"""The functions that ran since it was last cleared: `contour/contour.py:_flags`."""


def planted(module: str, fault_id: str) -> ast.Module:
    """The module's tree with this one fault in it."""
    tree = tree_of(module)
    (fault,) = [fault for fault in faults(module, tree) if fault.id == fault_id]
    fault.apply()
    return tree


def replace_function(module: str, scope: str, tree: ast.Module) -> bool:
    """Give a loaded function the code that it has in `tree`; False if it is none to be found."""
    found: Any = importlib.import_module(_dotted(module))
    for part in scope.split("."):
        found = getattr_static(found, part, None)
    if isinstance(found, property):
        found = found.fget
    function: Any = getattr(found, "__func__", found)
    code = next((c for c in _codes(_compiled(module, tree)) if c.co_qualname == scope), None)
    if code is None or not isinstance(function, FunctionType):
        return False
    function.__code__ = code
    return True


def loading(module: str, tree: ast.Module) -> None:
    """From now on an import of this module gets this tree."""
    sys.meta_path.insert(0, _Finder(lambda asked: tree if asked == module else None))


def noting_what_is_reached() -> None:
    """From now on the components' functions note in `reached` that they ran."""
    sys.meta_path.insert(0, _Finder(_noting))


class _Finder(MetaPathFinder):
    def __init__(self, tree: Callable[[str], ast.Module | None]) -> None:
        self._tree = tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del target
        if not fullname.startswith("grpc_platform."):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None or not spec.origin.startswith(str(PACKAGE)):
            return None
        module = spec.origin.removeprefix(f"{PACKAGE}/")
        if module.endswith(".py") and (tree := self._tree(module)) is not None:
            spec.loader = _Loader(fullname, spec.origin, module, tree)
            return spec
        return None


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, module: str, tree: ast.Module) -> None:
        super().__init__(fullname, path)
        self._file, self._parsed = module, tree

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        return _compiled(self._file, self._parsed)

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, _MARK, reached.add)
        super().exec_module(module)


def _noting(module: str) -> ast.Module:
    tree = tree_of(module)
    for scope, function in _functions(tree, ""):
        call = ast.parse(f"{_MARK}({f'{module}:{scope}'!r})").body[0]
        ast.increment_lineno(call, function.body[0].lineno - 1)
        documented = ast.get_docstring(function, clean=False) is not None
        function.body.insert(1 if documented else 0, call)
    return tree


def _functions(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The outermost functions and the methods."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield f"{scope}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{scope}{child.name}.")


def _compiled(module: str, tree: ast.Module) -> CodeType:
    return compile(copy.deepcopy(tree), str(PACKAGE / module), "exec", dont_inherit=True)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _dotted(module: str) -> str:
    return f"grpc_platform.{module.removesuffix('.py').replace('/', '.')}"


def forget_components() -> None:
    """Have everything that may hold a part of the components imported anew."""
    kept = "tests.mutants"
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top in {"grpc_platform", "config", "tests", "examples"} and not name.startswith(kept):
            del sys.modules[name]
