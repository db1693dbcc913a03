"""The Grafana dashboards that `grpc_platform` ships, made with Grafana's Foundation SDK."""
