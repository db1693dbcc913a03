package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/balancer/randomsubsetting"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver/dns"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// client makes the calls that options ask for.
type client struct {
	options
	began time.Time
	// ending is done at SIGTERM: open streams are abandoned. sending is done then or after the
	// duration: no new call begins.
	ending, sending context.Context
	request         *wrapperspb.BytesValue
	inFlight        sync.WaitGroup
}

// run makes the calls and reports once the last one has ended.
func run(ending context.Context, o options) (*report, error) {
	dns.SetMinResolutionInterval(o.reResolve)
	c := &client{
		options: o,
		began:   time.Now(),
		ending:  ending,
		sending: ending,
		request: wrapperspb.Bytes(make([]byte, o.payload)),
	}
	rows, err := c.dial()
	if err != nil {
		return nil, err
	}
	if o.duration > 0 {
		sending, cancel := context.WithTimeout(ending, o.duration)
		defer cancel()
		c.sending = sending
	}
	progress := time.NewTicker(10 * time.Second)
	defer progress.Stop()
	go c.tell(progress.C, rows)

	for i, row := range rows {
		begin := o.startOver * time.Duration(i) / time.Duration(o.channels)
		c.inFlight.Go(func() { c.drive(row, i, begin) })
	}
	c.inFlight.Wait()
	seconds, cpu := time.Since(c.began).Seconds(), cpuSeconds()
	for _, row := range rows {
		for _, channel := range row {
			channel.conn.Close()
		}
	}
	told := summarize(c, rows)
	told.Seconds, told.CPUSeconds = round(seconds), round(cpu)
	return told, nil
}

// dial makes the channels: a row holds one to each target. Its channels are called in turn.
func (c *client) dial() ([][]*channel, error) {
	security := insecure.NewCredentials()
	if c.ca != "" {
		var err error
		if security, err = credentials.NewClientTLSFromFile(c.ca, ""); err != nil {
			return nil, err
		}
	}
	rows := make([][]*channel, c.channels)
	for i := range rows {
		for _, target := range c.targets {
			channel := &channel{began: c.began}
			settings := []grpc.DialOption{
				grpc.WithTransportCredentials(security),
				grpc.WithDefaultServiceConfig(c.serviceConfig),
				grpc.WithStatsHandler(channel),
				grpc.WithIdleTimeout(0),
				grpc.WithNoProxy(),
				// Thousands of connections fit into memory.
				grpc.WithSharedWriteBuffer(true),
				grpc.WithReadBufferSize(4096),
			}
			if c.keepalive > 0 {
				settings = append(settings, grpc.WithKeepaliveParams(
					keepalive.ClientParameters{Time: c.keepalive, Timeout: c.keepaliveTimeout},
				))
			}
			if c.authority != "" {
				settings = append(settings, grpc.WithAuthority(c.authority))
			}
			conn, err := grpc.NewClient("dns:///"+target.address, settings...)
			if err != nil {
				return nil, err
			}
			channel.conn = conn
			rows[i] = append(rows[i], channel)
		}
	}
	return rows, nil
}

// drive makes all calls of one row.
func (c *client) drive(row []*channel, number int, begin time.Duration) {
	if !sleepUntil(c.sending, c.began.Add(begin)) {
		return
	}
	c.connect(row)
	var turn atomic.Int64
	next := func() *channel {
		n := int(turn.Add(1)) - 1
		if c.calls > 0 && n >= c.calls*len(row) || c.sending.Err() != nil {
			return nil
		}
		return row[(n+number)%len(row)]
	}
	if c.rate > 0 || len(c.curve) > 0 {
		c.openLoop(next)
		return
	}
	for range c.concurrency {
		c.inFlight.Go(func() {
			for channel := next(); channel != nil; channel = next() {
				c.measure(channel, time.Now())
			}
		})
	}
}

// connect waits for the row's connections, so that no call's time includes connecting. A missing
// target fails its calls instead.
func (c *client) connect(row []*channel) {
	patient, cancel := context.WithTimeout(c.sending, c.deadline)
	defer cancel()
	for _, channel := range row {
		channel.conn.Connect()
	}
	for _, channel := range row {
		for state := channel.conn.GetState(); state == connectivity.Idle || state == connectivity.Connecting; {
			if !channel.conn.WaitForStateChange(patient, state) {
				return
			}
			state = channel.conn.GetState()
		}
	}
}

// openLoop sends on schedule, whether or not earlier calls have been answered.
func (c *client) openLoop(next func() *channel) {
	interval := func(at time.Time) time.Duration {
		return time.Duration(float64(c.channels) / c.rateAt(at.Sub(c.began)) * float64(time.Second))
	}
	due := time.Now()
	due = due.Add(rand.N(interval(due)))
	for sleepUntil(c.sending, due) {
		channel := next()
		if channel == nil {
			return
		}
		at := due
		c.inFlight.Go(func() { c.measure(channel, at) })
		due = due.Add(interval(due))
	}
}

// rateAt is the rate over all channels at that time after the start.
func (c *client) rateAt(since time.Duration) float64 {
	if len(c.curve) == 0 {
		return c.rate
	}
	before := c.curve[0]
	for _, next := range c.curve[1:] {
		if since < next.at {
			done := float64(since-before.at) / float64(next.at-before.at)
			return before.rate + done*(next.rate-before.rate)
		}
		before = next
	}
	return before.rate
}

// measure makes one call that was due at that time.
func (c *client) measure(on *channel, due time.Time) {
	var answer string
	var err error
	start := time.Now()
	if c.exchange > 0 {
		answer, err = c.converse(on)
	} else if c.stream > 0 {
		answer, err = c.watch(on)
		if c.ending.Err() != nil && err != nil {
			on.leave()
			return
		}
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), c.deadline)
		var reply wrapperspb.StringValue
		err = on.conn.Invoke(ctx, callMethod, c.request, &reply)
		cancel()
		answer = reply.Value
	}
	on.record(due, start, time.Since(start), answer, err)
}

// watch reads one stream to its end.
func (c *client) watch(on *channel) (answer string, err error) {
	ctx, cancel := context.WithTimeout(c.ending, c.stream+c.deadline)
	defer cancel()
	stream, err := on.conn.NewStream(ctx, &description.Streams[0], watchMethod)
	if err != nil {
		return "", err
	}
	// Receiving reports an error of sending.
	if stream.SendMsg(wrapperspb.String(fmt.Sprint(c.stream, " ", c.interval))) == nil {
		stream.CloseSend()
	}
	last, longest, received := time.Now(), time.Duration(0), 0
	defer func() { on.gap(longest) }()
	for {
		var reply wrapperspb.StringValue
		err := stream.RecvMsg(&reply)
		now := time.Now()
		longest, last = max(longest, now.Sub(last)), now
		switch {
		case err == nil:
			answer = reply.Value
			received++
		case !errors.Is(err, io.EOF):
			return answer, err
		case received != messages(c.stream, c.interval):
			return answer, status.Errorf(codes.DataLoss, "it ended after %d messages", received)
		default:
			return answer, nil
		}
	}
}

// converse sends the messages of one bidirectional stream, each after the answer to the one before.
func (c *client) converse(on *channel) (answer string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.deadline)
	defer cancel()
	stream, err := on.conn.NewStream(ctx, &description.Streams[1], exchangeMethod)
	if err != nil {
		return "", err
	}
	var reply wrapperspb.BytesValue
	for range c.exchange {
		// Receiving reports an error of sending.
		_ = stream.SendMsg(c.request)
		if err := stream.RecvMsg(&reply); err != nil {
			return "", err
		}
		if len(reply.Value) != c.payload {
			return "", status.Errorf(codes.DataLoss, "%d bytes were answered with %d", c.payload, len(reply.Value))
		}
	}
	stream.CloseSend()
	if err := stream.RecvMsg(&reply); !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.Join(stream.Trailer().Get(answerKey), ""), nil
}

// tell writes the run's progress.
func (c *client) tell(ticks <-chan time.Time, rows [][]*channel) {
	for range ticks {
		calls, failed := 0, 0
		for _, row := range rows {
			for _, channel := range row {
				n, bad := channel.count()
				calls, failed = calls+n, failed+bad
			}
		}
		passed := time.Since(c.began).Round(time.Second)
		fmt.Fprintf(os.Stderr, "%v: %d calls, %d failed\n", passed, calls, failed)
	}
}

// sleepUntil reports whether that time came before ctx was done.
func sleepUntil(ctx context.Context, at time.Time) bool {
	left := time.Until(at)
	if left <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// cpuSeconds is the CPU time of this process so far.
func cpuSeconds() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}
