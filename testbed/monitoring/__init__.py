"""A real Prometheus that watches a running local cluster, with the components' own rules."""
