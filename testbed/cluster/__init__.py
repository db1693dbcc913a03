"""A real cluster of processes on one machine: the local stack, run by the parts that prod runs."""
