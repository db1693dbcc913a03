"""Removes account ids from a recording before anything is compared, shown or saved."""

import re
from typing import Any

from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.preview.fixtures import ACCOUNT

# Twelve digits, or grouped as the console writes them. The account of the fixtures is no real one.
# Digests can contain twelve digits by chance.
_ACCOUNT = re.compile(
    rf"[0-9a-f]{{32,}}|(?P<id>(?<!\d)(?!{ACCOUNT})(?:\d{{12}}|\d{{4}}-\d{{4}}-\d{{4}})(?!\d))"
)


class Accounts:
    """Gives each account id one name, used everywhere: `[account 1]`."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def hide(self, value: Any) -> Any:
        """The value with each account id replaced by its name, also where it is a number or in a
        key."""
        if isinstance(value, str):
            return _ACCOUNT.sub(self._name, value)
        if isinstance(value, int) and not isinstance(value, bool):
            text = str(value)
            return self.hide(text) if has_account(text) else value
        if is_mapping(value):
            return {self.hide(key): self.hide(item) for key, item in value.items()}
        if is_list(value):
            return [self.hide(item) for item in value]
        if isinstance(value, tuple):
            return tuple(self.hide([*value]))
        return value

    def _name(self, found: re.Match[str]) -> str:
        if found["id"] is None:
            return found[0]
        digits = found["id"].replace("-", "")
        return self._names.setdefault(digits, f"[account {len(self._names) + 1}]")


def has_account(text: str) -> bool:
    """Whether a text contains an account id to hide."""
    return any(found["id"] for found in _ACCOUNT.finditer(text))
