"""Turns a stack file's raw values into `Settings`, or reports every mistake at once."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, cast

from pydantic import ValidationError

from grpc_platform.rules import Mistake, Path
from grpc_platform.rules.network import supported_region
from grpc_platform.rules.support import kubernetes_support, proxy_support
from grpc_platform.timing import LONG_TERMINATION_GRACE_PERIOD, format_duration

from .cluster_rules import CLUSTER_RULES
from .mistakes import ConfigError, from_pydantic, meant
from .network_rules import NETWORK_RULES
from .serving_rules import SERVING_RULES
from .settings import Settings

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")


def check(
    raw: Mapping[str, Any],
    *,
    region: str | None = None,
    kubeconfigs: Collection[str] = (),
    found: Sequence[Mistake] = (),
) -> Settings:
    """The settings that `raw` (section -> value) describes.

    `region` is the AWS region if it is known, `kubeconfigs` the clusters with an encrypted
    kubeconfig, and `found` the mistakes that the caller has already found.

    Raises ConfigError with every mistake: those in `found`, those of single values, and those
    between values that are valid themselves.
    """
    mistakes = list(found)
    settings = None
    values = dict(raw)
    while settings is None:
        try:
            settings = Settings.model_validate(values)
        except ValidationError as error:
            wrong = from_pydantic(error.errors(), Settings, values)
            known = {m.path for m in mistakes}
            new = [m for m in wrong if m.path not in known]
            mistakes += new
            # A file can also break rules with its valid parts; report these mistakes in the same
            # run.
            given = {m.path for m in new if m.value is not None}
            if not given:
                break
            values = _Paths(given).without(values)
            if ("environment",) in given:
                values["environment"] = "development"  # required; development has fewer rules
    if settings is not None:
        # A rule must not blame the default of a key whose name is mistyped.
        wrong_already = _Paths(p for m in mistakes for p in (m.path, meant(m.path, Settings)))
        broken = [
            *broken_rules(settings),
            *_zones_outside(settings, region if region and _REGION.fullmatch(region) else None),
            *_known_region(region),
            *_kubeconfigs(settings, kubeconfigs),
        ]
        mistakes += [
            m
            for m in broken
            if not any(map(wrong_already.touch, filter(None, (m.path, m.against))))
        ]
    if mistakes or settings is None:
        raise ConfigError([str(m) for m in sorted(mistakes, key=lambda m: str(m.path))])
    return settings


def broken_rules(settings: Settings) -> list[Mistake]:
    """The mistakes that break rules between values."""
    rules = (*NETWORK_RULES, *CLUSTER_RULES, *SERVING_RULES)
    return [mistake for rule in rules for mistake in rule(settings)]


def _known_region(region: str | None) -> Iterator[Mistake]:
    if region is None:
        return
    path = ("aws:region",)
    if not _REGION.fullmatch(region):
        yield Mistake(path, region, "is not the name of a region such as eu-west-1")
    yield from supported_region(region, path)


def _zones_outside(settings: Settings, region: str | None) -> list[Mistake]:
    zones = settings.network.zones if settings.network else ()
    # Without a region in the file the environment decides (AWS_REGION), but all zones share one
    # region.
    right = region or next((zone[:-1] for zone in zones), "")
    where = f"aws:region ({region})" if region else f"one region with {zones[0]}" if zones else ""
    return [
        Mistake(("network", "zones", index), zone, f"is not in {where}")
        for index, zone in enumerate(zones)
        if zone[:-1] != right
    ]


def _kubeconfigs(settings: Settings, encrypted: Collection[str]) -> list[Mistake]:
    wanted = {
        name
        for name, cluster in settings.clusters.items()
        if cluster.existing is not None and cluster.existing.kubeconfig is None
    }
    missing = [
        Mistake(
            ("clusters", name, "existing", "kubeconfig"),
            None,
            f"is required, or pulumi config set --secret kubeconfig-{name} < FILE",
        )
        for name in sorted(wanted - set(encrypted))
    ]
    unused = [
        Mistake((f"kubeconfig-{name}",), None, "is not the kubeconfig of an existing cluster here")
        for name in sorted(set(encrypted) - wanted)
    ]
    return missing + unused


def warnings(settings: Settings, today: date) -> list[str]:
    """Warnings: allowed settings with surprising effects, and versions whose support has ended or
    will end soon after `today`."""
    found: list[str] = []
    grace = settings.timing.termination_grace_period
    if grace > LONG_TERMINATION_GRACE_PERIOD:
        found.append(
            f"a terminating Envoy may take {format_duration(grace)}: above "
            f"{format_duration(LONG_TERMINATION_GRACE_PERIOD)} rollouts and node upgrades are slow"
        )
    for name, cluster in settings.clusters.items():
        if not (cluster.existing or cluster.public_access_cidrs or cluster.private_access_cidrs):
            found.append(
                f"clusters.{name}: only its own nodes and pods reach its API; "
                "list the runner of pulumi up in private_access_cidrs"
            )
    if not settings.callers:
        found.append("callers is empty: nobody may dial Envoy")
    for name, cluster in settings.clusters.items():
        if not cluster.existing:
            found += map(str, kubernetes_support(cluster, today, ("clusters", name)))
    found += map(str, proxy_support(settings.contour, settings.envoy, today))
    return found


class _Paths:
    """The paths of values that are known to be wrong. A question takes no longer for more paths."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._whole = set(paths)
        self._begun = {path[:length] for path in self._whole for length in range(len(path))}

    def touch(self, path: Path) -> bool:
        """Whether one of them is `path`, contains it, or is inside of it."""
        return path in self._begun or any(
            path[:length] in self._whole for length in range(len(path) + 1)
        )

    def without(self, value: Any, at: Path = ()) -> Any:
        """A copy of `value`, which is at `at`, without the wrong parts: with YAML anchors one part
        may be at two paths."""
        if at not in self._begun:
            return value
        if isinstance(value, dict):
            items = cast("dict[Any, Any]", value).items()
            return {k: self.without(v, (*at, k)) for k, v in items if (*at, k) not in self._whole}
        if isinstance(value, list):
            parts = enumerate(cast("list[Any]", value))
            return [self.without(v, (*at, i)) for i, v in parts if (*at, i) not in self._whole]
        return value
