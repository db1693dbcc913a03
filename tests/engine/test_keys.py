"""No key of the stack file is forgotten by the matrix (`make engine-matrix`), and its rows hold."""

import json
from typing import Any

import pytest

from tests.engine.keys import CHANGES, NOT_LOCAL, STRUCTURE, leaves
from tests.engine.table import REMARKS, ROWS, lost

WON: dict[str, Any] = json.loads(ROWS.read_text())


def test_every_key_is_changed_or_said_not_to_be_local() -> None:
    excused = {key for key in leaves() if key.startswith(tuple(NOT_LOCAL))}
    assert set(leaves()) == CHANGES.keys() | excused
    assert not CHANGES.keys() & excused


def test_every_change_has_a_row() -> None:
    assert WON.keys() == CHANGES.keys() | STRUCTURE.keys()


@pytest.mark.parametrize("name", WON)
def test_the_diff_told_what_the_engine_did_and_what_was_lost(name: str) -> None:
    row = WON[name]
    for way in ("there", "back"):
        if way in row:
            assert row[way]["agree"], row[way]["differ"]
            assert row[way]["warned"] or not any(row[way]["failed"].values())
    if lost(row) or "there" not in row:
        assert name in REMARKS
