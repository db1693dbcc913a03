"""What the tests of the preview share."""

import gc
import warnings
from collections.abc import Generator

import pytest


@pytest.fixture(scope="module")
def stopped_programs() -> Generator[None]:
    """For modules whose programs stop halfway: the SDK then leaves coroutines that nobody awaits,
    and Python would say so in whichever test collects them."""
    yield
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine", RuntimeWarning)
        gc.collect()
