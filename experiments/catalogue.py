"""The experiments, by the names that `--only` takes, in the order in which they run."""

from experiments.balance import BALANCE
from experiments.experiment import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    "balance": BALANCE,
}
