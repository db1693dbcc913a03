"""What the design promises, measured on the local cluster: `make experiments`."""
