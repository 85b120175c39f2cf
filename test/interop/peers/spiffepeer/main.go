// spiffepeer is a workload built on go-spiffe: what it can do with our Workload API, any Go workload can.
// Every line it prints is one JSON object with an "event"; a failure is {"event":"error"} and exit code 1.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

type object map[string]any

var output sync.Mutex

func emit(event string, fields object) {
	line := object{"event": event}
	for name, value := range fields {
		line[name] = value
	}
	output.Lock()
	defer output.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		os.Exit(1)
	}
}

// options are the flags of all subcommands; each uses its own.
type options struct {
	socket    string
	address   string
	authorize string
	audience  string
	spiffeID  string
	token     string
	message   string
	count     int
}

func (o options) api() workloadapi.ClientOption { return workloadapi.WithAddr("unix://" + o.socket) }

func (o options) source() workloadapi.SourceOption { return workloadapi.WithClientOptions(o.api()) }

var commands = map[string]func(context.Context, options) error{
	"x509":         x509Source,
	"rotation":     rotation,
	"bundles":      bundles,
	"jwt":          jwt,
	"jwt-validate": jwtValidate,
	"mtls-server":  mtlsServer,
	"mtls-client":  mtlsClient,
}

func run() error {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		return fmt.Errorf("usage: spiffepeer x509|rotation|bundles|jwt|jwt-validate|mtls-server|mtls-client [flags]")
	}
	var o options
	var timeout time.Duration
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&o.socket, "socket", "", "path of the Workload API socket")
	flags.StringVar(&o.address, "address", "127.0.0.1:0", "where to listen or connect")
	flags.StringVar(&o.authorize, "authorize", "", "SPIFFE ID of the peer; empty: any member of the own trust domain")
	flags.StringVar(&o.audience, "audience", "peer", "of the JWT-SVID")
	flags.StringVar(&o.spiffeID, "spiffe-id", "", "which identity to ask for")
	flags.StringVar(&o.token, "token", "", "the JWT-SVID to validate")
	flags.StringVar(&o.message, "message", "hello", "what the mTLS client says")
	flags.IntVar(&o.count, "count", 1, "updates to wait for, or connections to serve")
	flags.DurationVar(&timeout, "timeout", 30*time.Second, "of everything")
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	ctx, cancelTimeout := context.WithTimeout(ctx, timeout)
	defer cancelTimeout()
	return commands[os.Args[1]](ctx, o)
}

func main() {
	if err := run(); err != nil {
		emit("error", object{"message": err.Error()})
		os.Exit(1)
	}
}
