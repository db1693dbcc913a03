"""The form of what is broken for an alert."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from experiments.lab import Lab
from testbed.monitoring.watch import Monitoring

Labels = Mapping[str, str]
"""Labels that the alert must have: they name what is broken."""


@dataclass(frozen=True, kw_only=True)
class Break:
    """Something broken on purpose, on a running platform with its Prometheus."""

    alert: str
    what: str
    act: Callable[[Lab, Monitoring], AbstractContextManager[Labels]]
    """Breaks it, and restores it at the end; it is broken from the moment that the body begins."""
    follows: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other alerts that may fire, each with the reason."""
