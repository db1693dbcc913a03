from typing import Any

PROTECTED_TYPES: frozenset[str] = frozenset()


def forces_replacement(type_token: str, path: tuple[str | int, ...], old: Any, new: Any) -> bool:
    return (
        type_token.startswith("kubernetes")
        and path[-1:] in (("name",), ("namespace",))
        and path[0] == "metadata"
    )
