package main

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

const keptFailures = 200

// call is the record of one call: 16 bytes without a pointer, so that millions take little
// memory.
type call struct {
	at     uint32 // when it was sent, milliseconds since the beginning
	took   uint32 // microseconds
	behind uint32 // microseconds between when it was due and when it was sent
	answer uint16 // index into answers
	code   uint8
}

// failure is a failed call, as reported.
type failure struct {
	At      float64 `json:"at"`
	Code    string  `json:"code"`
	Message string  `json:"message"`
	AfterMS float64 `json:"after_ms"`
}

// connection is an opened connection, to an Envoy or straight to a server.
type connection struct {
	at     uint32 // milliseconds since the beginning
	remote string
}

// channel is one gRPC channel with the records of its calls. It is its own stats handler, to see
// connections.
type channel struct {
	conn  *grpc.ClientConn
	began time.Time

	lock        sync.Mutex
	calls       []call
	failed      int
	failures    []failure
	unfinished  int
	longestGap  time.Duration
	connections []connection
}

// answers numbers the few distinct texts of servers' answers; 0 is none.
var answers = struct {
	sync.RWMutex
	numbers map[string]uint16
	texts   []string
}{numbers: map[string]uint16{"": 0}, texts: []string{""}}

func number(answer string) uint16 {
	answers.RLock()
	known, ok := answers.numbers[answer]
	answers.RUnlock()
	if ok {
		return known
	}
	answers.Lock()
	defer answers.Unlock()
	if known, ok = answers.numbers[answer]; !ok {
		known = uint16(len(answers.texts))
		answers.numbers[answer] = known
		answers.texts = append(answers.texts, answer)
	}
	return known
}

func (c *channel) record(due, start time.Time, took time.Duration, answer string, err error) {
	state := status.Convert(err)
	made := call{
		at:     uint32(start.Sub(c.began).Milliseconds()),
		took:   uint32(took.Microseconds()),
		behind: uint32(start.Sub(due).Microseconds()),
		answer: number(answer),
		code:   uint8(state.Code()),
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.calls = append(c.calls, made)
	if err == nil {
		return
	}
	c.failed++
	if len(c.failures) < keptFailures {
		c.failures = append(c.failures, failure{
			unixSeconds(start), codeName(made.code), state.Message(), milliseconds(made.took),
		})
	}
}

// leave counts a stream that was open at the client's end.
func (c *channel) leave() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.unfinished++
}

func (c *channel) gap(longest time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.longestGap = max(c.longestGap, longest)
}

func (c *channel) count() (calls, failed int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return len(c.calls), c.failed
}

type remoteKey struct{}

func (c *channel) TagConn(ctx context.Context, tag *stats.ConnTagInfo) context.Context {
	host, _, _ := net.SplitHostPort(tag.RemoteAddr.String())
	return context.WithValue(ctx, remoteKey{}, host)
}

func (c *channel) HandleConn(ctx context.Context, event stats.ConnStats) {
	if _, ok := event.(*stats.ConnBegin); ok {
		at := uint32(time.Since(c.began).Milliseconds())
		c.lock.Lock()
		defer c.lock.Unlock()
		c.connections = append(c.connections, connection{at, ctx.Value(remoteKey{}).(string)})
	}
}

func (c *channel) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (c *channel) HandleRPC(context.Context, stats.RPCStats) {}

// codeName is a status code as the gRPC specification writes it.
func codeName(number uint8) string { return code.Code(number).String() }

func unixSeconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

func milliseconds(microseconds uint32) float64 { return float64(microseconds) / 1000 }
