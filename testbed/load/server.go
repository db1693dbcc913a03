package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	service        = "load.v1.Load"
	callMethod     = "/" + service + "/Call"
	watchMethod    = "/" + service + "/Watch"
	exchangeMethod = "/" + service + "/Exchange"
	// answerKey is the trailer in which Exchange tells what a call is answered with.
	answerKey = "answer"
)

// loadServer answers every call with "POD CALLER_IP"; behind Envoy the caller is Envoy.
type loadServer struct {
	pod   string
	delay time.Duration
}

// description is what protoc would have made of
//
//	service Load {
//	  rpc Call(google.protobuf.BytesValue) returns (google.protobuf.StringValue);
//	  // "DURATION INTERVAL": one message at once and one each interval, for that long.
//	  rpc Watch(google.protobuf.StringValue) returns (stream google.protobuf.StringValue);
//	  // Each message is answered by its like.
//	  rpc Exchange(stream google.protobuf.BytesValue) returns (stream google.protobuf.BytesValue);
//	}
var description = grpc.ServiceDesc{
	ServiceName: service,
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Call",
		Handler: func(s any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(&wrapperspb.BytesValue{}); err != nil {
				return nil, err
			}
			return s.(*loadServer).call(ctx)
		},
	}},
	Streams: []grpc.StreamDesc{{
		StreamName:    "Watch",
		ServerStreams: true,
		Handler: func(s any, stream grpc.ServerStream) error {
			return s.(*loadServer).watch(stream)
		},
	}, {
		StreamName:    "Exchange",
		ServerStreams: true,
		ClientStreams: true,
		Handler: func(s any, stream grpc.ServerStream) error {
			return s.(*loadServer).exchange(stream)
		},
	}},
}

func (s *loadServer) answer(ctx context.Context) *wrapperspb.StringValue {
	caller, _ := peer.FromContext(ctx)
	address := caller.Addr.(*net.TCPAddr).AddrPort().Addr().Unmap()
	return wrapperspb.String(s.pod + " " + address.String())
}

func (s *loadServer) call(ctx context.Context) (*wrapperspb.StringValue, error) {
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	return s.answer(ctx), nil
}

func (s *loadServer) watch(stream grpc.ServerStream) error {
	var request wrapperspb.StringValue
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	length, interval, err := parseWatch(request.Value)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	answer := s.answer(stream.Context())
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for left := messages(length, interval); ; left-- {
		if err := stream.SendMsg(answer); err != nil {
			return err
		}
		if left == 1 {
			return nil
		}
		select {
		case <-ticks.C:
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		}
	}
}

func (s *loadServer) exchange(stream grpc.ServerStream) error {
	stream.SetTrailer(metadata.Pairs(answerKey, s.answer(stream.Context()).Value))
	var message wrapperspb.BytesValue
	for {
		if err := stream.RecvMsg(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
}

// messages is the number of messages in a stream of that length.
func messages(length, interval time.Duration) int { return int(length/interval) + 1 }

func parseWatch(request string) (length, interval time.Duration, err error) {
	first, second, _ := strings.Cut(request, " ")
	if length, err = time.ParseDuration(first); err == nil {
		interval, err = time.ParseDuration(second)
	}
	if err == nil && (length < 0 || interval <= 0) {
		err = fmt.Errorf("%q: not a length and an interval", request)
	}
	return length, interval, err
}

// serve answers until ending is done, then lets the calls in flight finish for grace.
func serve(ending context.Context, port int, grace, delay time.Duration) error {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return err
	}
	pod, _ := os.Hostname()
	if name := os.Getenv("HOSTNAME"); name != "" {
		pod = name
	}
	// gRPC's own policy for pings: more than one in 5 minutes ends the connection.
	server := grpc.NewServer()
	server.RegisterService(&description, &loadServer{pod, delay})
	states := health.NewServer()
	states.SetServingStatus(service, healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, states)

	go func() {
		<-ending.Done()
		states.Shutdown()
		time.AfterFunc(grace, server.Stop)
		server.GracefulStop()
	}()
	fmt.Fprintln(os.Stderr, "listening on", listener.Addr())
	return server.Serve(listener) // returns once the stop is complete
}
