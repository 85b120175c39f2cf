package main

import (
	"context"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

type bundleWatcher struct {
	updates chan struct{}
}

func (w bundleWatcher) OnX509BundlesUpdate(set *x509bundle.Set) {
	emit("x509-bundles", object{"bundles": authorities(set)})
	w.updates <- struct{}{}
}

func (w bundleWatcher) OnX509BundlesWatchError(err error) {
	emit("watch-error", object{"message": err.Error()})
}

func (w bundleWatcher) OnJWTBundlesUpdate(set *jwtbundle.Set) {
	keys := object{}
	for _, bundle := range set.Bundles() {
		ids := []string{}
		for id := range bundle.JWTAuthorities() {
			ids = append(ids, id)
		}
		keys[bundle.TrustDomain().Name()] = ids
	}
	emit("jwt-bundles", object{"bundles": keys})
	w.updates <- struct{}{}
}

func (w bundleWatcher) OnJWTBundlesWatchError(err error) {
	emit("watch-error", object{"message": err.Error()})
}

// bundles watches both kinds of bundles on one connection, until --count updates of each kind have come.
func bundles(ctx context.Context, o options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := workloadapi.New(ctx, o.api())
	if err != nil {
		return err
	}
	defer client.Close()
	failed := make(chan error, 2)
	x509Updates, jwtUpdates := make(chan struct{}), make(chan struct{})
	go func() { failed <- client.WatchX509Bundles(ctx, bundleWatcher{x509Updates}) }()
	go func() { failed <- client.WatchJWTBundles(ctx, bundleWatcher{jwtUpdates}) }()
	for x, j := 0, 0; x < o.count || j < o.count; {
		select {
		case <-x509Updates:
			x++
		case <-jwtUpdates:
			j++
		case err := <-failed:
			return err
		}
	}
	return nil
}
