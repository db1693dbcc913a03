"""What the panels of both dashboards share: variables, selectors, and one way to make a panel."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel
from grafana_foundation_sdk.models import common, dashboard, units

from grpc_platform.monitoring.alert import Scope
from grpc_platform.monitoring.capacity import OVERFLOWS
from grpc_platform.monitoring.services import STATUSES

_TAG = "grpc-platform"
_SCOPE = Scope(contour_namespace="${namespace}")
PLATFORM = _SCOPE.here
SERVICES = _SCOPE.services
INGRESS = _SCOPE.clients
EXTERNAL_DNS = _SCOPE.external_dns
"""The matchers that the alerts use too, of the namespace that is chosen."""
DNS_PROBE = f'job="{_SCOPE.dns_probe_job}"'

_DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
_COLUMNS = 24
_HEIGHT = 8

CALLS_PER_SECOND = units.RequestsPerSecond
MILLISECONDS = units.Milliseconds
SECONDS = units.Seconds
DAYS = units.Days
PERCENT = units.Percent
"""From 0 to 100."""
SHARE = units.PercentUnit
"""From 0 to 1, shown in percent."""
COUNT = units.Short
TIMES = "×"
PER_SECOND = units.CountsPerSecond


def share(part: str, whole: str) -> str:
    """`part` of `whole`, and 0 where Envoy has not counted any of the part yet."""
    return f"({part} or 0 * {whole}) / {whole}"


def rate(metric: str, selector: str) -> str:
    """The rate of a counter, by second."""
    return f"rate({metric}{{{selector}}}[$__rate_interval])"


def refused(selector: str) -> str:
    """Calls per second that circuit breakers refused."""
    return " + ".join(f"sum({rate(metric, selector)})" for metric in OVERFLOWS)


def breaker_use(selector: str) -> str:
    """Calls in flight as a share of what the circuit breaker allows."""
    active = f"envoy_cluster_upstream_rq_active{{{selector}}}"
    remaining = f"envoy_cluster_circuit_breakers_default_remaining_rq{{{selector}}}"
    return f"{active} / ({active} + {remaining})"


def failures(selector: str) -> dict[str, str]:
    """A query for each grpc-status but OK: Envoy counts each in a metric of its own, from the first
    one on."""
    return {
        name: f"sum({rate(f'envoy_cluster_grpc_{number}', selector)})"
        for number, name in enumerate(STATUSES)
        if name != "OK"
    }


def quantiles(metric: str, selector: str, *wanted: float) -> dict[str, str]:
    """A query for each quantile of a histogram over all pods."""
    buckets = f"sum by (le) ({rate(f'{metric}_bucket', selector)})"
    return {f"p{100 * each:g}": f"histogram_quantile({each:g}, {buckets})" for each in wanted}


def panel(
    title: str,
    unit: str,
    description: str,
    queries: Mapping[str, str],
    *,
    limit: float | None = None,
    stacked: bool = False,
) -> Panel:
    """Lines over time: a query for each legend. A dashed line shows `limit`."""
    made = (
        Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .min(0)
        .datasource(_DATASOURCE)
        .height(_HEIGHT)
        .tooltip(VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .legend(
            VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    for number, (legend, expression) in enumerate(queries.items()):
        made.with_target(
            Dataquery()
            .datasource(_DATASOURCE)
            .expr(expression)
            .legend_format(legend)
            .ref_id(chr(ord("A") + number))
        )
    if stacked:
        made.fill_opacity(30)
        made.stacking(StackingConfig().mode(common.StackingMode.NORMAL))
    if limit is not None:
        made.thresholds(
            ThresholdsConfig()
            .mode(dashboard.ThresholdsMode.ABSOLUTE)
            .steps(
                [
                    dashboard.Threshold(value=None, color="transparent"),
                    dashboard.Threshold(value=limit, color="red"),
                ]
            )
        )
        made.thresholds_style(
            GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    return made


def add_row(board: Dashboard, title: str, *panels: Panel) -> None:
    """Add panels of equal width under a title."""
    board.with_row(Row(title))
    for each in panels:
        board.with_panel(each.span(_COLUMNS // len(panels)))


def new_dashboard(uid: str, title: str, description: str) -> Dashboard:
    """A dashboard with its variables `datasource` and `namespace`."""
    return (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([_TAG])
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(
            DashboardLink("gRPC platform")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .keep_time(True)
        )
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(label_values("namespace", "Namespace", "envoy_server_live", "namespace"))
    )


def label_values(name: str, label: str, series: str, wanted: str) -> QueryVariable:
    """A variable whose choices are the values of a label."""
    return (
        QueryVariable(name)
        .label(label)
        .datasource(_DATASOURCE)
        .query(f"label_values({series}, {wanted})")
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )
