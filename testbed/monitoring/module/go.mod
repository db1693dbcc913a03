module grpc-platform.local/monitoring

go 1.26.1

require (
	github.com/prometheus/prometheus v0.313.5
	k8s.io/kube-state-metrics/v2 v2.15.0
)
