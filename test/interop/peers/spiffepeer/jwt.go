package main

import (
	"context"
	"fmt"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

// jwt fetches a JWT-SVID and has it validated twice: here with the pushed bundles, and by the agent.
func jwt(ctx context.Context, o options) error {
	source, err := workloadapi.NewJWTSource(ctx, o.source())
	if err != nil {
		return err
	}
	defer source.Close()
	params := jwtsvid.Params{Audience: o.audience}
	if o.spiffeID != "" {
		if params.Subject, err = spiffeid.FromString(o.spiffeID); err != nil {
			return err
		}
	}
	svid, err := source.FetchJWTSVID(ctx, params)
	if err != nil {
		return err
	}
	local, err := jwtsvid.ParseAndValidate(svid.Marshal(), source, []string{o.audience})
	if err != nil {
		return fmt.Errorf("local validation: %w", err)
	}
	remote, err := workloadapi.ValidateJWTSVID(ctx, svid.Marshal(), o.audience, o.api())
	if err != nil {
		return fmt.Errorf("validation by the agent: %w", err)
	}
	if local.ID != svid.ID || remote.ID != svid.ID {
		return fmt.Errorf("three names for one token: %s, %s, %s", svid.ID, local.ID, remote.ID)
	}
	emit("jwt", object{"spiffeId": svid.ID.String(), "hint": svid.Hint, "token": svid.Marshal(), "audience": svid.Audience, "expiryMs": svid.Expiry.UnixMilli(), "claims": svid.Claims})
	return nil
}

// jwtValidate says what this library and the agent think of any token.
func jwtValidate(ctx context.Context, o options) error {
	source, err := workloadapi.NewJWTSource(ctx, o.source())
	if err != nil {
		return err
	}
	defer source.Close()
	say := func(err error) string {
		if err != nil {
			return err.Error()
		}
		return ""
	}
	_, local := jwtsvid.ParseAndValidate(o.token, source, []string{o.audience})
	_, remote := workloadapi.ValidateJWTSVID(ctx, o.token, o.audience, o.api())
	emit("validated", object{"local": local == nil, "localError": say(local), "remote": remote == nil, "remoteError": say(remote)})
	return nil
}
