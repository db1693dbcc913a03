"""The experiments, by the names that `--only` takes, in the order in which they run."""

from experiments.alerts import ALERTS
from experiments.balance import BALANCE
from experiments.client_moves import CLIENT_MOVES
from experiments.clients import CLIENTS
from experiments.connections import CONNECTIONS
from experiments.dashboards import DASHBOARDS
from experiments.elasticity import ELASTICITY
from experiments.experiment import Experiment
from experiments.few_clients import FEW_CLIENTS
from experiments.floor import FLOOR
from experiments.growth import GROWTH
from experiments.herd import HERD
from experiments.latency import LATENCY
from experiments.lost_envoy import LOST_ENVOY
from experiments.lost_server import LOST_SERVER
from experiments.lost_zone import LOST_ZONE
from experiments.messages import MESSAGES
from experiments.nothing_lost import NOTHING_LOST
from experiments.peers import PEERS
from experiments.policies import POLICIES_COMPARED
from experiments.routes import ROUTES
from experiments.series import SERIES
from experiments.settings import SETTINGS
from experiments.streams import STREAMS

EXPERIMENTS: dict[str, Experiment] = {
    "balance": BALANCE,
    "herd": HERD,
    "few_clients": FEW_CLIENTS,
    "policies": POLICIES_COMPARED,
    "latency": LATENCY,
    "floor": FLOOR,
    "peers": PEERS,
    "connections": CONNECTIONS,
    "messages": MESSAGES,
    "settings": SETTINGS,
    "nothing_lost": NOTHING_LOST,
    "clients": CLIENTS,
    "client_moves": CLIENT_MOVES,
    "lost_envoy": LOST_ENVOY,
    "lost_server": LOST_SERVER,
    "lost_zone": LOST_ZONE,
    "streams": STREAMS,
    "elasticity": ELASTICITY,
    "growth": GROWTH,
    "routes": ROUTES,
    "alerts": ALERTS,
    "dashboards": DASHBOARDS,
    "series": SERIES,
}

QUICK = ("few_clients", "latency", "nothing_lost")
"""Those that run in CI."""
