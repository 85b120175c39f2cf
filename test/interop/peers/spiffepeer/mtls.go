package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

func authorizer(source *workloadapi.X509Source, o options) (tlsconfig.Authorizer, error) {
	if o.authorize != "" {
		id, err := spiffeid.FromString(o.authorize)
		return tlsconfig.AuthorizeID(id), err
	}
	svid, err := source.GetX509SVID()
	if err != nil {
		return nil, err
	}
	return tlsconfig.AuthorizeMemberOf(svid.ID.TrustDomain()), nil
}

func peerID(connection *tls.Conn) (string, error) {
	id, err := x509svid.IDFromCert(connection.ConnectionState().PeerCertificates[0])
	return id.String(), err
}

// mtlsServer answers --count connections with the line they send; a refused handshake is a line, not the end.
func mtlsServer(ctx context.Context, o options) error {
	source, err := workloadapi.NewX509Source(ctx, o.source())
	if err != nil {
		return err
	}
	defer source.Close()
	authorize, err := authorizer(source, o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.address)
	if err != nil {
		return err
	}
	defer listener.Close()
	context.AfterFunc(ctx, func() { listener.Close() })
	emit("listening", object{"address": listener.Addr().String()})
	config := tlsconfig.MTLSServerConfig(source, source, authorize)
	for range o.count {
		raw, err := listener.Accept()
		if err != nil {
			return err
		}
		if err := echo(tls.Server(raw, config)); err != nil {
			emit("refused", object{"message": err.Error()})
		}
	}
	return nil
}

func echo(connection *tls.Conn) error {
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return err
	}
	id, err := peerID(connection)
	if err != nil {
		return err
	}
	emit("served", object{"peer": id})
	_, err = fmt.Fprint(connection, line)
	return err
}

// mtlsClient says one line and prints what comes back and who said it.
func mtlsClient(ctx context.Context, o options) error {
	source, err := workloadapi.NewX509Source(ctx, o.source())
	if err != nil {
		return err
	}
	defer source.Close()
	authorize, err := authorizer(source, o)
	if err != nil {
		return err
	}
	dialer := tls.Dialer{Config: tlsconfig.MTLSClientConfig(source, source, authorize)}
	connection, err := dialer.DialContext(ctx, "tcp", o.address)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := fmt.Fprintln(connection, o.message); err != nil {
		return err
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return err
	}
	id, err := peerID(connection.(*tls.Conn))
	if err != nil {
		return err
	}
	emit("answered", object{"peer": id, "line": line[:len(line)-1]})
	return nil
}
