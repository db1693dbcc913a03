"""Each promise of the design, measured on the local cluster."""
