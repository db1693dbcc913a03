"""What the figures of the floor must show, and the copies that its settings are tried on."""

import copy
from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments import cpu_profile, floor, paired
from experiments.envoy_variants import SAME, VARIANTS, manager, static_copy
from experiments.floor import GOALS, findings
from experiments.floor_page import BARE, HOPS, gains, tell, verdict
from experiments.paired import DIRECT, SHIPPED
from grpc_platform.contour.access_log import JSON_FIELDS

_BASE = 0.5


def run_of(**added: float) -> dict[str, Any]:
    """One run in which each hop adds as many ms at all quantiles, and uses 100 times as many µs."""
    return {
        name: {
            "milliseconds": dict.fromkeys(paired.QUANTILES, _BASE + ms),
            "cpu": 100 * ms,
            "calls_per_second": 1000.0,
            "codes": {"OK": 100},
        }
        for name, ms in {DIRECT: 0.0, **added}.items()
    }


def result(shipped: float = 0.22, relay: float = 0.02, **variants: float) -> dict[str, Any]:
    hops = dict(zip(HOPS, (relay, 0.05, 0.06, 0.2, shipped), strict=True))
    one = [run_of(**hops)] * 3
    copies = [run_of(**{SHIPPED: shipped, SAME.name: shipped, **variants})]
    return {
        "seconds": 1,
        "repeats": 3,
        "one": one,
        "rates": {},
        "saturation": one,
        "pair": {"one": one, "saturation": one},
        "profiles": {},
        "variants": {"one": copies, "full": copies},
    }


def held(figures: dict[str, Any]) -> dict[str, bool]:
    return {finding.claim: finding.holds for finding in findings(figures)}


def test_all_holds_within_the_goals() -> None:
    assert all(held(result(shipped=0.21)).values())


def test_each_goal_is_missed_on_its_own() -> None:
    near = result(shipped=0.2 * (GOALS["p99"] - 0.02))
    missed = [claim for claim, holds in held(near).items() if not holds]
    assert len(missed) == 2
    assert not any("p99" in claim for claim in missed)
    far = [claim for claim, holds in held(result(shipped=0.3)).items() if not holds]
    assert len(far) == len(GOALS)


def test_the_control_fails_when_a_relay_seems_to_cost_more_than_envoy() -> None:
    (control,) = (f for f in findings(result(relay=0.4)) if f.claim.startswith("a relay"))
    assert control.control
    assert not control.holds


def test_a_failed_call_is_told() -> None:
    figures = copy.deepcopy(result(shipped=0.21))
    figures["saturation"][0][BARE]["codes"] = {"OK": 1, "UNAVAILABLE": 2}
    assert not held(figures)["no call fails"]


def test_a_ratio_is_taken_within_a_run_and_not_between_runs() -> None:
    # A slow run slows both.
    runs = [run_of(a=0.1, b=0.2), run_of(a=1.0, b=2.0)]
    assert paired.added_ratio(runs, "b", "a", "p50") == pytest.approx(
        {"median": 2.0, "low": 2.0, "high": 2.0}
    )


def test_a_run_in_which_the_base_adds_nothing_is_left_out() -> None:
    runs = [run_of(a=-0.1, b=0.2), run_of(a=0.1, b=0.2)]
    assert paired.added_ratio(runs, "b", "a", "p50")["high"] == pytest.approx(2.0)


def test_what_a_setting_gains_is_told_with_what_it_loses() -> None:
    figures = result(nolog=0.11, compressed=0.33, nghttp2=0.11, smallbuffers=0.22, promised=0.11)
    gain = gains(figures)
    assert gain["nolog"]["p50"] == pytest.approx(0.5)
    by_name = {variant.name: variant for variant in VARIANTS}
    said = {name: verdict(by_name[name], gain[name]) for name in gain if name in by_name}
    assert said["nolog"] == "loses the access log"
    assert said["compressed"] == "costs more"
    assert said["nghttp2"] == "gains"
    assert said["smallbuffers"] == "gains nothing"
    assert said["promised"] == "cannot be set"
    assert "| no access log | contour.accesslog_level | -50% |" in tell(figures)


def test_a_whole_run_is_drawn_and_told() -> None:
    figures = result()
    figures["rates"] = {"500": figures["one"][:1]}
    shares = {"kernel": 0.1, "libc": 0.1, "own": 0.8, "kib_of_hot_code": 600.0, "samples": 5000}
    figures["profiles"] = dict.fromkeys(HOPS, shares)
    assert list(floor.draw(figures)) == ["floor"]
    text = tell(figures)
    assert "| 500 calls/s each way |" in text
    assert f"| {HOPS[BARE]} | 2.0 | 2.0 | 16.0 | 600 KiB |" in text
    assert "perf is not there" in tell(result())


def test_no_pod_of_a_copy_counts_with_another() -> None:
    names = [*HOPS, *(variant.name for variant in VARIANTS)]
    assert len(set(names)) == len(names)
    assert not any(a.startswith(f"{b}-") for a in names for b in names)


# --- copies ------------------------------------------------------------------------------------

_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
STATS = "type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig"
DUMP: dict[str, Any] = {
    "configs": [
        {
            "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
            "bootstrap": {"overload_manager": {"refresh_interval": "0.25s"}, "admin": {}},
        },
        {
            "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
            "dynamic_active_clusters": [
                {
                    "cluster": {
                        "name": "default/load",
                        "type": "EDS",
                        "eds_cluster_config": {"a": 1},
                    }
                },
                {"cluster": {"name": "elsewhere", "type": "STATIC"}},
            ],
        },
        {
            "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
            "dynamic_listeners": [
                {
                    "name": "ingress_http",
                    "active_state": {
                        "listener": {
                            "@type": "l",
                            "address": {},
                            "filter_chains": [
                                {
                                    "filters": [
                                        {
                                            "typed_config": {
                                                "@type": f"{_MANAGER}.HttpConnectionManager",
                                                "rds": {"route_config_name": "ingress_http"},
                                                "merge_slashes": True,
                                                "access_log": [
                                                    {"typed_config": {"log_format": {"a": 1}}}
                                                ],
                                                "http_filters": [
                                                    {"typed_config": {"@type": "a/b.Lua"}},
                                                    {"typed_config": {"@type": STATS}},
                                                    {"typed_config": {"@type": "a/b.Router"}},
                                                ],
                                            }
                                        }
                                    ]
                                }
                            ],
                        }
                    },
                }
            ],
        },
        {
            "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
            "dynamic_route_configs": [
                {"route_config": {"name": "other"}},
                {"route_config": {"@type": "r", "name": "ingress_http"}},
            ],
        },
    ]
}


def test_a_copy_has_the_routes_of_its_listener_and_finds_the_servers_by_name() -> None:
    before = copy.deepcopy(DUMP)
    config = static_copy(DUMP)
    assert before == DUMP
    assert manager(config)["route_config"]["name"] == "ingress_http"
    assert "rds" not in manager(config)
    (cluster,) = config["static_resources"]["clusters"]
    assert cluster["type"] == "STRICT_DNS"
    assert "eds_cluster_config" not in cluster
    (listener,) = config["static_resources"]["listeners"]
    # Envoy refuses a bootstrap that says what it knows.
    routes = manager(config)["route_config"]
    assert not any("@type" in each for each in (cluster, listener, routes))
    assert config["overload_manager"]
    assert "admin" not in config


def test_each_variant_changes_something_and_leaves_the_copy_alone() -> None:
    shipped = static_copy(DUMP)
    before = copy.deepcopy(shipped)
    same = SAME.hop(shipped)
    for variant in VARIANTS:
        hop = variant.hop(shipped)
        assert shipped == before
        changed = hop.files != same.files or hop.command != same.command
        assert changed == (variant is not SAME), variant.name


def test_what_is_promised_keeps_grpcs_statistics_and_no_filter_that_grpc_does_not_use() -> None:
    shipped = static_copy(DUMP)
    (variant,) = (v for v in VARIANTS if v.name == "promised")
    variant.change(shipped)
    kept = [each["typed_config"]["@type"] for each in manager(shipped)["http_filters"]]
    assert kept == [STATS, "a/b.Router"]


def test_the_json_log_keeps_every_field() -> None:
    shipped = static_copy(DUMP)
    (variant,) = (v for v in VARIANTS if v.name == "jsonlog")
    variant.change(shipped)
    (log,) = manager(shipped)["access_log"]
    assert log["typed_config"]["log_format"] == {"json_format": JSON_FIELDS}


def test_a_profile_tells_the_kernels_part_and_how_much_code_is_hot() -> None:
    own = [f"{page:x}000 (/parts/envoy)" for page in range(1, 10) for _ in range(2)]
    said = ["ffffffff81 ([kernel.kallsyms])"] * 5 + ["7f00 (/usr/lib/libc.so.6)"] * 2 + own + [""]
    profile = cpu_profile.summarize("\n".join(said))
    assert profile is not None
    assert profile["kernel"] == pytest.approx(0.2)
    assert profile["own"] == pytest.approx(18 / 25)
    assert profile["kib_of_hot_code"] == 9 * 4
    assert cpu_profile.summarize("") is None
