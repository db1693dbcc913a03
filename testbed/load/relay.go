package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// runRelay is the least that a hop can do: it takes each connection to one of the servers, chosen at
// random. As "tcp" it copies bytes, as an L4 balancer does. As "http2" it also reads every frame and
// decodes and encodes every header, which is what a hop that routes by host cannot do without.
func runRelay(ending context.Context, arguments []string) error {
	flags := flag.NewFlagSet("load relay", flag.ExitOnError)
	port := flags.Int("port", 50051, "where to listen; 0 takes a free one")
	to := flags.String("to", "", "HOST:PORT of the servers")
	as := flags.String("as", "tcp", "tcp or http2")
	flags.Parse(arguments)
	copying := map[string]func(to, from net.Conn) error{"tcp": copyBytes, "http2": copyFrames}[*as]
	host, toPort, err := net.SplitHostPort(*to)
	if copying == nil || err != nil {
		return fmt.Errorf("usage: load relay -as tcp|http2 -to HOST:PORT")
	}
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", *port))
	if err != nil {
		return err
	}
	context.AfterFunc(ending, func() { listener.Close() })
	fmt.Fprintln(os.Stderr, "listening on", listener.Addr())
	for {
		caller, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go relay(ending, caller, host, toPort, copying)
	}
}

// relay serves one connection until either side ends it.
func relay(ctx context.Context, caller net.Conn, host, port string, copying func(to, from net.Conn) error) {
	defer caller.Close()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return
	}
	server, err := net.Dial("tcp", net.JoinHostPort(addresses[rand.N(len(addresses))], port))
	if err != nil {
		return
	}
	defer server.Close()
	ended := make(chan error, 2)
	go func() { ended <- copying(server, caller) }()
	go func() { ended <- copying(caller, server) }()
	<-ended
}

func copyBytes(to, from net.Conn) error {
	_, err := io.Copy(to, from)
	return err
}

// copyFrames keeps the streams' numbers, since a connection has one of its own to the server. Flow
// control, settings and pings pass from end to end.
func copyFrames(to, from net.Conn) error {
	in, out := bufio.NewReaderSize(from, 32<<10), bufio.NewWriterSize(to, 32<<10)
	if isPreface(in) {
		in.Discard(len(http2.ClientPreface))
		out.WriteString(http2.ClientPreface)
	}
	reader, writer := http2.NewFramer(nil, in), http2.NewFramer(out, nil)
	reader.SetReuseFrames()
	reader.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for {
		frame, err := reader.ReadFrame()
		if err != nil {
			return err
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			block.Reset()
			for _, field := range frame.Fields {
				encoder.WriteField(field)
			}
			err = writer.WriteHeaders(http2.HeadersFrameParam{
				StreamID:      frame.StreamID,
				BlockFragment: block.Bytes(),
				EndStream:     frame.StreamEnded(),
				EndHeaders:    true,
			})
		case *http2.DataFrame:
			err = writer.WriteData(frame.StreamID, frame.StreamEnded(), frame.Data())
		case *http2.SettingsFrame:
			err = copySettings(writer, frame)
		case *http2.WindowUpdateFrame:
			err = writer.WriteWindowUpdate(frame.StreamID, frame.Increment)
		case *http2.RSTStreamFrame:
			err = writer.WriteRSTStream(frame.StreamID, frame.ErrCode)
		case *http2.PingFrame:
			err = writer.WritePing(frame.IsAck(), frame.Data)
		case *http2.GoAwayFrame:
			err = writer.WriteGoAway(frame.LastStreamID, frame.ErrCode, frame.DebugData())
		}
		if err == nil && in.Buffered() == 0 {
			err = out.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// isPreface reports whether a client's preface comes next; a server sends none.
func isPreface(in *bufio.Reader) bool {
	first, err := in.Peek(1)
	return err == nil && first[0] == http2.ClientPreface[0]
}

func copySettings(writer *http2.Framer, frame *http2.SettingsFrame) error {
	if frame.IsAck() {
		return writer.WriteSettingsAck()
	}
	var settings []http2.Setting
	frame.ForeachSetting(func(one http2.Setting) error {
		// The tables of headers are the relay's, of the size that all peers start with.
		if one.ID != http2.SettingHeaderTableSize {
			settings = append(settings, one)
		}
		return nil
	})
	return writer.WriteSettings(settings...)
}
