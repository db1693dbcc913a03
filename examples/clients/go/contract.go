package main

// snippet: begin
import (
	"crypto/x509"
	"time"

	"google.golang.org/grpc"
	// Registers random_subsetting_experimental (gRFC A68), for a service config that names it.
	_ "google.golang.org/grpc/balancer/randomsubsetting"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver/dns"
)

// Contract says how to dial one service. A field that is absent leaves gRPC's default.
type Contract struct {
	TargetURI             string  `json:"target_uri"`
	Host                  string  `json:"host"`
	TLS                   bool    `json:"tls"`
	ServiceConfig         string  `json:"service_config"`
	KeepaliveTime         float64 `json:"keepalive_time_seconds"`
	KeepaliveTimeout      float64 `json:"keepalive_timeout_seconds"`
	MinResolutionInterval float64 `json:"min_resolution_interval_seconds"`
	MaxMessageBytes       int     `json:"max_message_bytes"`
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func dial(contract Contract, roots *x509.CertPool) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if contract.TLS {
		creds = credentials.NewClientTLSFromCert(roots, "") // nil: the system's
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(creds), grpc.WithAuthority(contract.Host)}
	if contract.ServiceConfig != "" { // balancing, and the deadline of each call
		options = append(options, grpc.WithDefaultServiceConfig(contract.ServiceConfig))
	}
	if contract.KeepaliveTime > 0 {
		// Pings only with calls in flight, at most one in 10 s. On Linux the timeout is also
		// TCP_USER_TIMEOUT: https://github.com/grpc/proposal/blob/master/A18-tcp-user-timeout.md
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: seconds(contract.KeepaliveTime), Timeout: seconds(contract.KeepaliveTimeout)}))
	}
	if contract.MaxMessageBytes > 0 {
		options = append(options, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(contract.MaxMessageBytes)))
	}
	if contract.MinResolutionInterval > 0 { // for every channel of the process
		dns.SetMinResolutionInterval(seconds(contract.MinResolutionInterval))
	}
	channel, err := grpc.NewClient(contract.TargetURI, options...)
	if err == nil {
		channel.Connect() // else the first call waits for the look-up and the connection
	}
	return channel, err
}

// snippet: end
