"""Copies of the Envoy as shipped, each with one thing changed, to run beside each other.

A copy is static: it is made of the configuration that Envoy had from Contour. So all copies can be
called in turn by one client, which a fleet that is deployed anew for each change cannot.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from experiments import hops
from experiments.hops import Config, Hop
from grpc_platform.contour.access_log import JSON_FIELDS

LISTENER = "ingress_http"
"""Contour's name for the listener of the plaintext port."""
_RUNTIME = "envoy.reloadable_features."


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A copy with one thing changed."""

    name: str
    """Its pods' names begin with it; none begins with another's and a dash."""
    what: str
    through: str | None = None
    """What sets it: a key of contour.yaml, or a flag of Envoy's; None if Contour fixes it."""
    loses: str | None = None
    """What is promised and would be lost."""
    change: Callable[[Config], None] = lambda _: None
    arguments: tuple[str, ...] = ()

    def hop(self, shipped: Config) -> Hop:
        """The Envoy of this variant."""
        config = copy.deepcopy(shipped)
        self.change(config)
        return hops.envoy(self.name, config, *self.arguments, routes_all=False)


def static_copy(dump: Config) -> Config:
    """The bootstrap of an Envoy that does the same as the one with this /config_dump."""
    sections = {section["@type"].rpartition(".")[2]: section for section in dump["configs"]}
    listener = next(
        _plain(each["active_state"]["listener"])
        for each in sections["ListenersConfigDump"]["dynamic_listeners"]
        if each["name"] == LISTENER
    )
    listener["address"] = hops.listening()
    config = {"static_resources": {"listeners": [listener], "clusters": []}}
    connections = manager(config)
    wanted = connections.pop("rds")["route_config_name"]
    routes = sections["RoutesConfigDump"]["dynamic_route_configs"]
    connections["route_config"] = next(
        _plain(each["route_config"]) for each in routes if each["route_config"]["name"] == wanted
    )
    for each in sections["ClustersConfigDump"]["dynamic_active_clusters"]:
        cluster = _plain(each["cluster"])
        if cluster.pop("eds_cluster_config", None):
            config["static_resources"]["clusters"].append(cluster | hops.servers(cluster["name"]))
    bootstrap = sections["BootstrapConfigDump"]["bootstrap"]
    for kept in ("overload_manager", "default_regex_engine"):
        if kept in bootstrap:
            config[kept] = bootstrap[kept]
    return config


def _plain(dumped: Config) -> Config:
    """A copy of what a dump tells with its type, which a bootstrap knows."""
    return {key: copy.deepcopy(value) for key, value in dumped.items() if key != "@type"}


def manager(config: Config) -> Config:
    """The HTTP connection manager of a copy's listener."""
    (listener,) = config["static_resources"]["listeners"]
    filters = (each for chain in listener["filter_chains"] for each in chain["filters"])
    return next(
        each["typed_config"]
        for each in filters
        if each["typed_config"]["@type"].endswith("HttpConnectionManager")
    )


def _keep_filters(config: Config, keep: Callable[[str], bool]) -> None:
    connections = manager(config)
    connections["http_filters"] = [
        each for each in connections["http_filters"] if keep(each["typed_config"]["@type"])
    ]


def _compressed(config: Config) -> None:
    connections = manager(config)
    types = "type.googleapis.com/envoy.extensions"
    library = {"@type": f"{types}.compression.gzip.compressor.v3.Gzip"}
    compressor = {
        "@type": f"{types}.filters.http.compressor.v3.Compressor",
        "compressor_library": {"name": "gzip", "typed_config": library},
    }
    filters = connections["http_filters"]
    connections["http_filters"] = [{"name": "compressor", "typed_config": compressor}, *filters]


def _promised(config: Config) -> None:
    # FilterConfig: https://www.envoyproxy.io/docs/envoy/v1.38.0/configuration/http/http_filters/grpc_stats_filter
    kept = ("Router", ".grpc_stats.v3.FilterConfig")
    _keep_filters(config, lambda kind: kind.endswith(kept))


def _router_only(config: Config) -> None:
    _keep_filters(config, lambda kind: kind.endswith("Router"))


def _without_log(config: Config) -> None:
    manager(config).pop("access_log")


def _log_formats(config: Config) -> Iterator[Config]:
    for log in manager(config)["access_log"]:
        yield log["typed_config"]["log_format"]


def _json_log(config: Config) -> None:
    for log_format in _log_formats(config):
        log_format.clear()
        log_format["json_format"] = {**JSON_FIELDS}


def _short_log(config: Config) -> None:
    for log_format in _log_formats(config):
        log_format.clear()
        log_format["text_format_source"] = {"inline_string": "%START_TIME% %REQ(:PATH)%\n"}


def _without_request_ids(config: Config) -> None:
    manager(config)["generate_request_id"] = False


def _without_overload_manager(config: Config) -> None:
    config.pop("overload_manager", None)


def _small_buffers(config: Config) -> None:
    resources = config["static_resources"]
    for each in (*resources["listeners"], *resources["clusters"]):
        each["per_connection_buffer_limit_bytes"] = 32 << 10


def _windows(config: Config) -> None:
    sizes = {"initial_stream_window_size": 64 << 10, "initial_connection_window_size": 1 << 20}
    manager(config)["http2_protocol_options"] = sizes


def _other_codec(config: Config) -> None:
    features = {f"{_RUNTIME}http2_use_oghttp2": False}
    config["layered_runtime"] = {"layers": [{"name": "static", "static_layer": features}]}


def _without_stats(config: Config) -> None:
    config["stats_config"] = {"stats_matcher": {"reject_all": True}}


def _fewer_stats(config: Config) -> None:
    unused = (".external.", ".internal.", "upstream_rq_per_cx", "cx_length_ms")
    patterns = [{"contains": words} for words in unused]
    config["stats_config"] = {"stats_matcher": {"exclusion_list": {"patterns": patterns}}}


def _without_merge_slashes(config: Config) -> None:
    manager(config).pop("merge_slashes", None)


def _without_idle_timers(config: Config) -> None:
    connections: Any = manager(config)
    connections["stream_idle_timeout"] = "0s"
    connections.setdefault("common_http_protocol_options", {})["idle_timeout"] = "0s"


SAME = Variant(name="same", what="the copy itself")
UNUSED = "promised"
"""The variant that keeps of the filters only those that something promised needs."""
VARIANTS = (
    SAME,
    Variant(
        name="compressed",
        what="Contour's default compression filter",
        through="contour.yaml: compression.algorithm",
        change=_compressed,
    ),
    Variant(
        name="jsonlog",
        what="access log as JSON",
        through="contour.accesslog_format",
        change=_json_log,
    ),
    Variant(
        name="lateflush",
        what="access log written 1 MiB at a time",
        through="Envoy's --file-flush-min-size-kb",
        arguments=("--file-flush-min-size-kb", "1024"),
    ),
    Variant(
        name="fewstats",
        what="no statistics that the docs do not name",
        through="bootstrap: stats_config",
        change=_fewer_stats,
    ),
    Variant(
        name="twoworkers",
        what="2 workers",
        through="envoy.concurrency",
        arguments=("--concurrency", "2"),
    ),
    Variant(
        name="smallbuffers",
        what="buffers of 32 KiB",
        through="contour.yaml: per-connection-buffer-limit-bytes",
        change=_small_buffers,
    ),
    Variant(
        name="nghttp2",
        what="the other HTTP/2 codec",
        through="bootstrap: layered_runtime",
        change=_other_codec,
    ),
    Variant(
        name="nooverload",
        what="no overload manager",
        through="contour bootstrap",
        loses="the refusal of calls before memory is full",
        change=_without_overload_manager,
    ),
    Variant(
        name="unmerged",
        what="slashes in paths not merged",
        through="contour.yaml: disableMergeSlashes",
        change=_without_merge_slashes,
    ),
    Variant(
        name="untimed",
        what="no idle timers",
        through="contour.timeouts",
        loses="the end of calls and connections that nobody uses",
        change=_without_idle_timers,
    ),
    Variant(name="windows", what="HTTP/2 windows of 64 KiB and 1 MiB", change=_windows),
    Variant(
        name="noids",
        what="no request ids",
        loses="the log's request_id",
        change=_without_request_ids,
    ),
    Variant(
        name=UNUSED,
        what="no filter that gRPC does not use (gRPC-Web, CORS, local rate limit, Lua, RBAC)",
        change=_promised,
    ),
    Variant(
        name="routeronly",
        what="no filter but the router",
        loses="gRPC's metrics",
        change=_router_only,
    ),
    Variant(
        name="shortlog",
        what="access log of two fields",
        loses="the log's other fields",
        through="contour.yaml: accesslog-format-string",
        change=_short_log,
    ),
    Variant(
        name="nolog",
        what="no access log",
        loses="the access log",
        through="contour.accesslog_level",
        change=_without_log,
    ),
    Variant(
        name="nostats",
        what="no statistics at all",
        loses="every metric",
        through="bootstrap: stats_config",
        change=_without_stats,
    ),
)
