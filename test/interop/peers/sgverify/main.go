// sgverify verifies Sigstore bundles with sigstore-go against a trusted_root.json: as another pair of eyes in tests,
// and with --loop as the number that our verifier is measured against. Prints one JSON line per bundle.
package main

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

type object map[string]any

func emit(value object) error { return json.NewEncoder(os.Stdout).Encode(value) }

// artifactPolicy is a file, sha256:HEX, or empty: what the envelope is about is then not checked.
func artifactPolicy(artifact string) (verify.ArtifactPolicyOption, error) {
	if artifact == "" {
		return verify.WithoutArtifactUnsafe(), nil
	}
	if digest, found := strings.CutPrefix(artifact, "sha256:"); found {
		bytes, err := hex.DecodeString(digest)
		return verify.WithArtifactDigest("sha256", bytes), err
	}
	file, err := os.Open(artifact)
	return verify.WithArtifact(file), err
}

func run() error {
	trustedRoot := flag.String("trusted-root", "", "trusted_root.json")
	identity := flag.String("identity", "", "exact SAN of the certificate; empty: any")
	issuer := flag.String("issuer", "", "exact OIDC issuer in the certificate")
	artifact := flag.String("artifact", "", "file or sha256:HEX that the bundles are about")
	loop := flag.Int("loop", 0, "verify the first bundle this many times and print the rate")
	flag.Parse()
	if flag.NArg() == 0 {
		return fmt.Errorf("usage: sgverify --trusted-root FILE [--identity ID --issuer URL] [--artifact FILE] [--loop N] BUNDLE...")
	}
	material, err := root.NewTrustedRootFromPath(*trustedRoot)
	if err != nil {
		return err
	}
	verifier, err := verify.NewVerifier(material, verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1), verify.WithSignedTimestamps(1))
	if err != nil {
		return err
	}
	var who verify.PolicyOption = verify.WithoutIdentitiesUnsafe()
	if *identity != "" {
		certificate, err := verify.NewShortCertificateIdentity(*issuer, "", *identity, "")
		if err != nil {
			return err
		}
		who = verify.WithCertificateIdentity(certificate)
	}
	check := func(path string) (*verify.VerificationResult, error) {
		entity, err := bundle.LoadJSONFromPath(path)
		if err != nil {
			return nil, err
		}
		what, err := artifactPolicy(*artifact)
		if err != nil {
			return nil, err
		}
		return verifier.Verify(entity, verify.NewPolicy(what, who))
	}
	if *loop > 0 {
		return measure(*loop, func() error {
			_, err := check(flag.Arg(0))
			return err
		})
	}
	return checkAll(flag.Args(), check)
}

func checkAll(paths []string, check func(string) (*verify.VerificationResult, error)) error {
	failed := 0
	for _, path := range paths {
		result, err := check(path)
		line := object{"bundle": path, "ok": err == nil}
		if err != nil {
			failed++
			line["error"] = err.Error()
		} else {
			line["identity"] = result.Signature.Certificate.SubjectAlternativeName
			line["issuer"] = result.Signature.Certificate.Issuer
			line["timestamps"] = len(result.VerifiedTimestamps)
		}
		if err := emit(line); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d bundles are not accepted", failed, len(paths))
	}
	return nil
}

// measure runs the check with files read anew each time, after a tenth as warm-up.
func measure(count int, check func() error) error {
	for range count/10 + 1 {
		if err := check(); err != nil {
			return err
		}
	}
	began := time.Now()
	for range count {
		if err := check(); err != nil {
			return err
		}
	}
	elapsed := time.Since(began)
	return emit(object{"count": count, "elapsedUs": elapsed.Microseconds(), "perSecond": float64(count) / elapsed.Seconds()})
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
