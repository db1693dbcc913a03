"""A real cluster of processes on one machine: the local stack, on the same components as prod."""
