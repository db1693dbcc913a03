// Calls one service by its contract at a fixed rate, and prints what came of each call.
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"grpc-platform.local/client/greeterpb"
	"grpc-platform.local/client/tickerpb"
)

//go:generate ./generate.sh

const tickInterval = 0.2 // seconds

func main() {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // one line of our own instead
	rate := flags.Float64("rate", 10, "")
	length := flags.Float64("seconds", 0, "")
	stream := flags.Float64("stream", 0, "")
	size := flags.Int("message-bytes", len("you"), "")
	ca := flags.String("ca", "", "")
	if len(os.Args) < 2 || flags.Parse(os.Args[2:]) != nil || flags.NArg() > 0 || *rate <= 0 || *size < 0 {
		check(errors.New("usage: CONTRACT.json [--rate CALLS_PER_SECOND] [--seconds S] [--stream SECONDS] [--message-bytes N] [--ca FILE]"))
	}
	var contract Contract
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(text, &contract))
	var roots *x509.CertPool
	if *ca != "" {
		text, err = os.ReadFile(*ca)
		check(err)
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM(text)
	}
	channel, err := dial(contract, roots)
	check(err)

	until, end := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	if *length > 0 {
		time.AfterFunc(seconds(*length), end)
	}
	var inFlight sync.WaitGroup
	for each := time.NewTicker(seconds(1 / *rate)); until.Err() == nil; {
		if *stream > 0 {
			tick(until, channel, uint32(*stream/tickInterval+0.5))
		} else {
			inFlight.Go(func() { greet(channel, strings.Repeat("x", *size)) })
		}
		select {
		case <-each.C:
		case <-until.Done():
		}
	}
	inFlight.Wait()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func greet(channel *grpc.ClientConn, name string) {
	sent := time.Now()
	reply, err := greeterpb.NewGreeterClient(channel).Greet(context.Background(), &greeterpb.GreetRequest{Name: name})
	report(sent, err, reply.GetPod(), reply.GetCaller(), map[string]any{})
}

func tick(until context.Context, channel *grpc.ClientConn, count uint32) {
	sent := time.Now()
	replies, err := tickerpb.NewTickerClient(channel).Tick(until, &tickerpb.TickRequest{Count: count, IntervalSeconds: tickInterval})
	var pod, envoy string
	ticks := 0
	for err == nil {
		var reply *tickerpb.TickReply
		if reply, err = replies.Recv(); err == nil {
			ticks, pod, envoy = ticks+1, reply.GetPod(), reply.GetCaller()
		}
	}
	if errors.Is(err, io.EOF) {
		report(sent, nil, pod, envoy, map[string]any{"ticks": ticks})
	} else if until.Err() == nil { // otherwise we cancelled it
		report(sent, err, "", "", map[string]any{"ticks": ticks})
	}
}

func report(sent time.Time, err error, pod, envoy string, line map[string]any) {
	line["at"] = float64(sent.UnixMicro()) / 1e6
	line["ms"] = float64(time.Since(sent).Microseconds()) / 1e3
	line["code"] = code.Code(status.Code(err)).String() // gRPC's upper-case name
	line["pod"], line["envoy"], line["message"] = pod, envoy, status.Convert(err).Message()
	text, _ := json.Marshal(line)
	os.Stdout.Write(append(text, '\n')) // in one go, so that lines do not mix
}
