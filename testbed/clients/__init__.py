"""The example clients of examples/clients: their builds, and runs in pods of the local cluster."""
