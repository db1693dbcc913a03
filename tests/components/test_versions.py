"""The tables of versions, against what their projects say about all of their versions."""

from itertools import pairwise

from grpc_platform import versions
from testbed.cluster import parts


def minor(version: str) -> tuple[int, int]:
    major, second, *_ = version.removeprefix("v").split(".")
    return int(major), int(second)


def test_extended_support_is_a_year_more_and_a_minor_version_ends_after_the_one_before() -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html: 14 months of
    standard support, 12 months of extended support."""
    ends = [versions.KUBERNETES_SUPPORT[name] for name in sorted(versions.KUBERNETES_SUPPORT)]
    for each in ends:
        assert each.extended == each.standard.replace(year=each.standard.year + 1)
    for before, after in pairwise(ends):
        # Kubernetes has three releases a year: https://kubernetes.io/releases/
        assert 90 <= (after.standard - before.standard).days <= 150


def test_kube_proxy_is_of_the_minor_version_of_its_control_plane() -> None:
    """https://kubernetes.io/releases/version-skew-policy/#kube-proxy: it must not be newer."""
    for name, build in versions.KUBE_PROXY.items():
        assert minor(build) == minor(name)


def test_a_newer_kubernetes_never_gets_an_older_coredns() -> None:
    """An upgrade of the cluster would downgrade it."""
    builds = [versions.COREDNS[name] for name in sorted(versions.COREDNS, key=minor)]
    assert all(minor(before) < minor(after) for before, after in pairwise(builds))


def test_a_kubernetes_that_can_be_chosen_was_tested_with_contour_by_its_project_or_here() -> None:
    here = ".".join(parts.KUBERNETES.split(".")[:2])
    assert {*versions.KUBERNETES_OF_CONTOUR, here} == versions.KUBERNETES_SUPPORT.keys()
    # The table has three minor versions in a row, for each release of Contour:
    # https://projectcontour.io/resources/compatibility-matrix/
    assert len(versions.KUBERNETES_OF_CONTOUR) == 3


def test_contour_has_one_newest_release_and_the_others_a_day_on_which_they_were_superseded() -> (
    None
):
    newest = [name for name, ended in versions.CONTOUR_SUPPORT.items() if ended is None]
    assert newest == [versions.CONTOUR]
