"""Versions past their support."""

import typing
from datetime import date, timedelta
from typing import Any

import pytest

from config.check import check, warnings
from grpc_platform import versions
from grpc_platform.rules.support import NOTICE
from grpc_platform.specs import ClusterSpec, ContourSpec, EnvoySpec
from tests.config.stack import EXISTING, TODAY, changed

VERSION = "clusters.serving.kubernetes_version"
POLICY = "clusters.serving.upgrade_policy"
BY_ITSELF = "EKS then upgrades the control plane by itself, without notice"
OLD_PAIR = {"contour.version": "1.33.6", "envoy.version": "1.38.3"}
CASES: list[tuple[dict[str, Any], date, list[str]]] = [
    ({VERSION: "1.34"}, date(2026, 10, 2), []),
    (
        {VERSION: "1.34"},
        date(2026, 10, 3),
        [
            f"{VERSION} = 1.34: its standard support in EKS ends on 2026-12-02; {BY_ITSELF}. "
            "Upgrade to 1.35 (docs/versions.md)"
        ],
    ),
    (
        {VERSION: "1.33"},
        date(2026, 7, 29),
        [
            f"{VERSION} = 1.33: its standard support in EKS ended on 2026-07-29; {BY_ITSELF}. "
            "Upgrade to 1.34 (docs/versions.md)"
        ],
    ),
    (
        {VERSION: "1.33", POLICY: "extended"},
        date(2026, 7, 1),
        [
            f"{VERSION} = 1.33: its standard support in EKS ends on 2026-07-29; extended support "
            "costs a fee from then on. Upgrade to 1.34 (docs/versions.md)"
        ],
    ),
    (
        {VERSION: "1.35", POLICY: "extended"},
        date(2028, 3, 1),
        [f"{VERSION} = 1.35: its extended support in EKS ends on 2028-03-27; {BY_ITSELF}"],
    ),
    (
        {VERSION: "1.35", POLICY: "extended"},
        date(2028, 1, 27),
        [f"{VERSION} = 1.35: its extended support in EKS ends on 2028-03-27; {BY_ITSELF}"],
    ),
    ({VERSION: "1.35", POLICY: "extended"}, date(2027, 1, 25), []),
    (OLD_PAIR, date(2026, 9, 6), []),
    (
        OLD_PAIR,
        date(2026, 9, 7),
        [
            "contour.version = 1.33.6: gets no fixes since 2026-09-07; use "
            f"{versions.CONTOUR} with envoy.version {versions.ENVOY}"
        ],
    ),
    (
        {},
        date(2027, 2, 22),
        [
            "envoy.version = 1.38.9: support of Envoy 1.38 ends on 2027-04-23; use a newer release "
            "of grpc-platform"
        ],
    ),
    (
        {},
        date(2027, 4, 23),
        [
            "envoy.version = 1.38.9: support of Envoy 1.38 ended on 2027-04-23; use a newer "
            "release of grpc-platform"
        ],
    ),
]


@pytest.mark.parametrize(("changes", "today", "expected"), CASES)
def test_a_version_is_named_sixty_days_before_its_support_ends(
    changes: dict[str, Any], today: date, expected: list[str]
) -> None:
    part = "envoy" if not changes else next(iter(changes)).partition(".")[0]
    found = warnings(check(changed(changes)), today)
    assert [line for line in found if line.startswith(part)] == expected


def test_an_existing_cluster_is_its_owners_to_upgrade() -> None:
    settings = check(changed({"clusters.serving": EXISTING, "services": {}}))
    assert not [line for line in warnings(settings, date(2040, 1, 1)) if "clusters" in line]


def test_every_version_that_can_be_chosen_is_in_the_tables() -> None:
    def choices(model: Any, field: str) -> set[str]:
        return set(typing.get_args(model.model_fields[field].annotation))

    minors = choices(ClusterSpec, "kubernetes_version")
    for table in (versions.KUBERNETES_SUPPORT, versions.KUBE_PROXY, versions.COREDNS):
        assert set(table) == minors
    contours = choices(ContourSpec, "version")
    assert set(versions.ENVOY_OF_CONTOUR) == set(versions.CONTOUR_SUPPORT) == contours
    envoys = choices(EnvoySpec, "version")
    assert {envoy.rpartition(".")[0] for envoy in envoys} == set(versions.ENVOY_SUPPORT)


def test_the_default_versions_are_supported_and_so_is_the_notice() -> None:
    assert warnings(check(changed({})), TODAY) == []
    assert timedelta(days=60) == NOTICE
