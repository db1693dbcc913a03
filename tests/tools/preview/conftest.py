"""What the tests of the preview share."""

import gc
import warnings
from collections.abc import Generator

import pytest


@pytest.fixture(scope="module")
def stopped_programs() -> Generator[None]:
    """For modules whose programs stop halfway: the SDK then leaves un-awaited coroutines, and
    Python would warn in the test that happens to collect them."""
    yield
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine", RuntimeWarning)
        gc.collect()
