"""Removes the program's folder from what it registers, so that two revisions in different folders
compare equal. Assets are recorded by their content, as an engine compares them."""

import base64
import hashlib
import os
import pickletools
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from grpc_platform_tools.plain import is_list, is_mapping

# How the SDK marks special values on the wire (pulumi.runtime.rpc keeps the names private).
SIGNATURE = "4dabf18193072939515e22adb298388d"
_ASSET_SIGNATURES = ("c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7")
# The pickled code of a dynamic provider.
_PROVIDER = "__provider"
# Folders beside a program's own files that two revisions never share as an asset.
_STRAY = {"__pycache__", ".git"}


@dataclass(frozen=True)
class Layout:
    """The directory where a program runs, and the folder of its revision around it; both
    resolved."""

    directory: Path
    checkout: Path

    @cached_property
    def _names(self) -> dict[str, str]:
        """Stand-ins for the folders' paths, the longer path first. A folder directly below the root
        stays: its path may also be a path inside a container, such as /app."""
        folders = (self.directory, self.checkout)
        return {str(f): os.path.relpath(f, self.directory) for f in folders if len(f.parts) > 2}

    @cached_property
    def _traces(self) -> list[bytes]:
        signs = (*_ASSET_SIGNATURES, _PROVIDER, *self._names)
        return [os.fsencode(sign) for sign in signs]

    def shows_in(self, request: bytes) -> bool:
        """Whether `settled` would change anything. A cheap check, since usually it would not."""
        return any(trace in request for trace in self._traces)

    def settled(self, value: Any) -> Any:
        """The value without the folders, and with assets by their content."""
        if isinstance(value, str):
            return renamed(value, self._names)
        if is_list(value):
            return [self.settled(item) for item in value]
        if not is_mapping(value):
            return value
        if value.get(SIGNATURE) in _ASSET_SIGNATURES:
            return self._asset(value)
        return {
            renamed(key, self._names): self._code(item) if key == _PROVIDER else self.settled(item)
            for key, item in value.items()
        }

    def _asset(self, items: dict[str, Any]) -> dict[str, Any]:
        """Text, assets of an archive and addresses as they are; for a file its place and digest."""
        asset = {key: self.settled(item) for key, item in items.items() if key != SIGNATURE}
        if isinstance(items.get("path"), str):
            path = Path(os.path.normpath(self.directory / items["path"]))
            inside = path.is_relative_to(self.checkout)
            asset["path"] = os.path.relpath(path, self.directory) if inside else path.name
            if digest := _digest(path):
                asset["sha256"] = digest
        return asset

    def _code(self, value: Any) -> Any:
        """A digest of pickled code that does not depend on the folder it was read from."""
        if is_mapping(value):  # usually a secret
            return value | {"value": self._code(value.get("value"))}
        if not isinstance(value, str):
            return value
        digest = hashlib.sha256()
        try:
            for operation, argument, _ in pickletools.genops(base64.b64decode(value)):
                if operation.name != "FRAME":  # its length depends on the paths
                    text = str(argument).replace(f"{self.checkout}{os.sep}", "")
                    digest.update(f"{type(argument).__name__} {text}\n".encode())
        except ValueError:  # something else of this name
            return self.settled(value)
        return digest.hexdigest()


def renamed(text: str, names: dict[str, str]) -> str:
    """The text with each path replaced by its stand-in, also where a longer path begins with it."""
    for path, name in names.items():
        if path in text:
            literal = name.replace("\\", r"\\")
            text = re.sub(rf"(?<![\w.-]){re.escape(path)}(?![\w-]|\.\w)", literal, text)
    return text


def _digest(path: Path) -> str | None:
    """The digest of a file, or of all files in a folder; None if none can be read."""
    try:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
            inside = [file.relative_to(path) for file in files]
            lines = [f"{name.as_posix()} {_digest(path / name)}\n" for name in inside
                     if _STRAY.isdisjoint(name.parts)]  # fmt: skip
            return hashlib.sha256("".join(lines).encode()).hexdigest()
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
