// Command load is the server, the client and the least hop of the experiments. It makes gRPC calls
// and records each one, at a small part of the cost of the measured system.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	pickFirst  = `{"loadBalancingConfig":[{"pick_first":{"shuffleAddressList":true}}]}`
	roundRobin = `{"loadBalancingConfig":[{"round_robin":{}}]}`
	subsetting = `{"loadBalancingConfig":[{"random_subsetting_experimental":{"subsetSize":3,"childPolicy":[{"round_robin":{}}]}}]}`
)

// Bytes. A connection of grpc-go takes about 60 KiB, and a channel may have several.
const memoryLimit, channelMemory = 256 << 20, 512 << 10

func main() {
	// Each call leaves some KiB of garbage in a heap of a few MiB. Rare collection is cheap, as long
	// as the records of millions of calls do not multiply.
	debug.SetGCPercent(800)
	debug.SetMemoryLimit(memoryLimit)
	ending, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "server":
		err = runServer(ending, os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "client":
		err = runClient(ending, os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "relay":
		err = runRelay(ending, os.Args[2:])
	default:
		err = fmt.Errorf("usage: load server [flags] | load client NAME=HOST:PORT... [flags] | load relay -to HOST:PORT [flags]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
}

func runServer(ending context.Context, arguments []string) error {
	flags := flag.NewFlagSet("load server", flag.ExitOnError)
	port := flags.Int("port", 50051, "where to listen; 0 takes a free one")
	grace := flags.Duration("grace", 20*time.Second, "for calls in flight at SIGTERM")
	delay := flags.Duration("delay", 0, "before each unary call is answered")
	flags.Parse(arguments)
	return serve(ending, *port, *grace, *delay)
}

// options are the client's settings.
type options struct {
	targets               []target
	channels, concurrency int
	rate                  float64
	curve                 []point
	calls                 int
	duration, deadline    time.Duration
	payload               int
	stream, interval      time.Duration
	exchange              int
	startOver, window     time.Duration
	keepalive             time.Duration
	keepaliveTimeout      time.Duration
	serviceConfig         string
	reResolve             time.Duration
	authority, ca         string
}

type target struct{ name, address string }

// point is a rate in calls per second at a time after the start; between points it is linear.
type point struct {
	at   time.Duration
	rate float64
}

func parseCurve(text string) (curve []point, err error) {
	for _, word := range strings.Split(text, ",") {
		at, rate, _ := strings.Cut(word, "=")
		var p point
		if p.at, err = time.ParseDuration(at); err != nil {
			return nil, err
		}
		if p.rate, err = strconv.ParseFloat(rate, 64); err != nil {
			return nil, err
		}
		if p.rate <= 0 || len(curve) > 0 && p.at <= curve[len(curve)-1].at {
			return nil, fmt.Errorf("%q: rates must be positive and times rise", word)
		}
		curve = append(curve, p)
	}
	if curve[0].at != 0 {
		return nil, fmt.Errorf("%q: must begin at 0s", text)
	}
	return curve, nil
}

func runClient(ending context.Context, arguments []string) error {
	var o options
	flags := flag.NewFlagSet("load client", flag.ExitOnError)
	flags.IntVar(&o.channels, "channels", 1, "channels to each target, with connections of their own")
	flags.IntVar(&o.concurrency, "concurrency", 1, "calls in flight on each channel, without -rate")
	flags.Float64Var(&o.rate, "rate", 0, "calls a second over all channels, whatever the answers")
	curve := flags.String("curve", "", "rates over time instead of -rate: 0s=100,60s=2000,...")
	flags.IntVar(&o.calls, "calls", 0, "end after as many on each channel")
	flags.DurationVar(&o.duration, "duration", 0, "end after as long (without, and without -calls: at SIGTERM)")
	flags.DurationVar(&o.deadline, "deadline", 15*time.Second, "of a call; for a stream, beyond its length")
	flags.IntVar(&o.payload, "payload", 0, "bytes of a request")
	flags.DurationVar(&o.stream, "stream", 0, "streams of this length instead of unary calls")
	flags.DurationVar(&o.interval, "interval", 100*time.Millisecond, "between a stream's messages")
	flags.IntVar(&o.exchange, "exchange", 0, "bidirectional streams of as many messages, each answered by its like, instead of unary calls")
	flags.DurationVar(&o.startOver, "start-over", 0, "spread the channels' start over as long")
	flags.DurationVar(&o.window, "window", time.Second, "length of the windows of the report")
	flags.DurationVar(&o.keepalive, "keepalive", 0, "ping a connection that was silent as long, 10s at least")
	flags.DurationVar(&o.keepaliveTimeout, "keepalive-timeout", 10*time.Second, "end a connection whose ping is unanswered, or whose data is unacknowledged, as long")
	policy := flags.String("policy", "pick_first", "pick_first (shuffled), round_robin or random_subsetting (of 3)")
	flags.StringVar(&o.serviceConfig, "service-config", "", "JSON, instead of -policy")
	flags.DurationVar(&o.reResolve, "re-resolve", 30*time.Second, "how soon a name may be looked up again")
	flags.StringVar(&o.authority, "authority", "", "host to ask for")
	flags.StringVar(&o.ca, "ca", "", "PEM file of the authority to trust: TLS")

	// Targets and flags in any order.
	for flags.Parse(arguments); flags.NArg() > 0; flags.Parse(arguments) {
		name, address, ok := strings.Cut(flags.Arg(0), "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=HOST:PORT", flags.Arg(0))
		}
		o.targets = append(o.targets, target{name, address})
		arguments = flags.Args()[1:]
	}
	if o.serviceConfig == "" {
		switch *policy {
		case "pick_first":
			o.serviceConfig = pickFirst
		case "round_robin":
			o.serviceConfig = roundRobin
		case "random_subsetting":
			o.serviceConfig = subsetting
		default:
			return fmt.Errorf("-policy %s: pick_first, round_robin or random_subsetting, or -service-config", *policy)
		}
	}
	if *curve != "" {
		var err error
		if o.curve, err = parseCurve(*curve); err != nil {
			return fmt.Errorf("-curve: %w", err)
		}
	}
	if len(o.targets) == 0 {
		return fmt.Errorf("no target: NAME=HOST:PORT")
	}
	if o.channels < 1 || o.concurrency < 1 || o.window < time.Millisecond || o.interval <= 0 {
		return fmt.Errorf("-channels, -concurrency, -window and -interval must be positive")
	}
	// The rest is for the records and the garbage of calls.
	debug.SetMemoryLimit(memoryLimit + int64(o.channels*len(o.targets))*channelMemory)
	told, err := run(ending, o)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}
