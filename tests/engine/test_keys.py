"""No key of the stack file is forgotten by the matrix (`make engine-matrix`)."""

from tests.engine.keys import CHANGES, NOT_LOCAL, leaves


def test_every_key_is_changed_or_said_not_to_be_local() -> None:
    excused = {key for key in leaves() if key.startswith(tuple(NOT_LOCAL))}
    assert set(leaves()) == CHANGES.keys() | excused
    assert not CHANGES.keys() & excused
