"""The experiments, by the names that `--only` takes, in the order in which they run."""

from experiments.balance import BALANCE
from experiments.elasticity import ELASTICITY
from experiments.experiment import Experiment
from experiments.few_clients import FEW_CLIENTS
from experiments.growth import GROWTH
from experiments.herd import HERD
from experiments.latency import LATENCY
from experiments.lost_nodes import LOST_NODES
from experiments.nothing_lost import NOTHING_LOST
from experiments.settings import SETTINGS
from experiments.streams import STREAMS

EXPERIMENTS: dict[str, Experiment] = {
    "balance": BALANCE,
    "herd": HERD,
    "few_clients": FEW_CLIENTS,
    "latency": LATENCY,
    "settings": SETTINGS,
    "nothing_lost": NOTHING_LOST,
    "lost_nodes": LOST_NODES,
    "streams": STREAMS,
    "elasticity": ELASTICITY,
    "growth": GROWTH,
}

QUICK = ("few_clients", "latency", "nothing_lost")
"""Those that run in CI."""
