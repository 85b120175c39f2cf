package main

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

func ders(certificates []*x509.Certificate) [][]byte {
	out := make([][]byte, len(certificates))
	for i, certificate := range certificates {
		out[i] = certificate.Raw
	}
	return out
}

func describe(svid *x509svid.SVID) object {
	leaf := svid.Certificates[0]
	return object{
		"spiffeId":  svid.ID.String(),
		"hint":      svid.Hint,
		"serial":    leaf.SerialNumber.Text(16),
		"notBefore": leaf.NotBefore.UnixMilli(),
		"notAfter":  leaf.NotAfter.UnixMilli(),
		"chain":     ders(svid.Certificates),
	}
}

func authorities(set *x509bundle.Set) object {
	out := object{}
	for _, bundle := range set.Bundles() {
		out[bundle.TrustDomain().Name()] = ders(bundle.X509Authorities())
	}
	return out
}

// x509Source blocks until the first SVID, as every go-spiffe workload does at its start.
func x509Source(ctx context.Context, o options) error {
	began := time.Now()
	source, err := workloadapi.NewX509Source(ctx, o.source())
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := source.GetX509SVID()
	if err != nil {
		return err
	}
	elapsed := time.Since(began)
	bundle, err := source.GetX509BundleForTrustDomain(svid.ID.TrustDomain())
	if err != nil {
		return err
	}
	fields := describe(svid)
	fields["elapsedUs"] = elapsed.Microseconds()
	fields["authorities"] = ders(bundle.X509Authorities())
	// the same check that a peer makes during a handshake
	if _, _, err := x509svid.Verify(svid.Certificates, bundle); err != nil {
		return err
	}
	emit("svid", fields)
	return nil
}

var errEnough = errors.New("enough updates")

type rotationWatcher struct {
	left int
	done chan error
}

func (w *rotationWatcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	svids := make([]object, len(update.SVIDs))
	for i, svid := range update.SVIDs {
		svids[i] = describe(svid)
	}
	emit("update", object{"atMs": time.Now().UnixMilli(), "svids": svids, "bundles": authorities(update.Bundles)})
	if w.left--; w.left == 0 {
		w.done <- errEnough
	}
}

func (w *rotationWatcher) OnX509ContextWatchError(err error) {
	emit("watch-error", object{"message": err.Error()})
}

// rotation prints each X.509 context that is pushed, until --count of them have come.
func rotation(ctx context.Context, o options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watcher := &rotationWatcher{left: o.count, done: make(chan error, 1)}
	failed := make(chan error, 1)
	go func() { failed <- workloadapi.WatchX509Context(ctx, watcher, o.api()) }()
	select {
	case <-watcher.done:
		return nil
	case err := <-failed:
		return err
	}
}
