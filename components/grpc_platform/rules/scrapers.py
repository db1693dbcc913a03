"""The rules for a scraper."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from .mistake import Mistake, Path


class Scraper(Protocol):
    """A scraper in plain values, or with a program's Inputs."""

    @property
    def namespaces(self) -> Sequence[object]: ...
    @property
    def pod_labels(self) -> Mapping[str, object]: ...
    @property
    def security_group_id(self) -> object | None: ...
    @property
    def cidr(self) -> object | None: ...


def scraper_is_one_source(scraper: Scraper, path: Path = ()) -> Iterator[Mistake]:
    """A scraper is pods of the serving cluster, or addresses."""
    pods = bool(scraper.namespaces or scraper.pod_labels)
    if pods and scraper.security_group_id is not None:
        yield Mistake(
            (*path, "security_group_id"),
            scraper.security_group_id,
            "cannot be combined with namespaces or pod_labels; make it a separate scraper",
        )
    if pods and scraper.cidr is not None:
        yield Mistake(
            (*path, "cidr"),
            scraper.cidr,
            "cannot be combined with namespaces or pod_labels; make it a separate scraper",
        )
    if not pods and scraper.cidr is None:
        yield Mistake(
            (*path, "cidr"),
            None,
            "is required, or namespaces or pod_labels: NetworkPolicy knows scrapers outside the "
            "cluster by address only",
        )
