"""A real cluster of processes on one machine: no Docker, no cloud."""
