package main

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/verification"
)

var usages = map[string]x509.ExtKeyUsage{
	"any":    x509.ExtKeyUsageAny,
	"server": x509.ExtKeyUsageServerAuth,
	"client": x509.ExtKeyUsageClientAuth,
	"code":   x509.ExtKeyUsageCodeSigning,
	"time":   x509.ExtKeyUsageTimeStamping,
}

func certificates(ders [][]byte) ([]*x509.Certificate, error) {
	out := make([]*x509.Certificate, len(ders))
	for i, der := range ders {
		var err error
		if out[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i, err)
		}
	}
	return out, nil
}

func parse(r request) (object, error) {
	c, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return nil, err
	}
	uris := []string{}
	for _, uri := range c.URIs {
		uris = append(uris, uri.String())
	}
	unhandled := []string{}
	for _, id := range c.UnhandledCriticalExtensions {
		unhandled = append(unhandled, id.String())
	}
	extensions := []string{}
	for _, extension := range c.Extensions {
		extensions = append(extensions, extension.Id.String())
	}
	return object{
		"version":             c.Version,
		"serial":              c.SerialNumber.Text(16),
		"subject":             c.Subject.String(),
		"issuer":              c.Issuer.String(),
		"uris":                uris,
		"isCa":                c.IsCA,
		"maxPathLen":          c.MaxPathLen,
		"maxPathLenZero":      c.MaxPathLenZero,
		"keyUsage":            int(c.KeyUsage),
		"extKeyUsage":         c.ExtKeyUsage,
		"permittedUriDomains": c.PermittedURIDomains,
		"signatureAlgorithm":  c.SignatureAlgorithm.String(),
		"publicKeyAlgorithm":  c.PublicKeyAlgorithm.String(),
		"notBeforeMs":         c.NotBefore.UnixMilli(),
		"notAfterMs":          c.NotAfter.UnixMilli(),
		"unhandledCritical":   unhandled,
		"extensions":          extensions,
	}, nil
}

func chain(r request) (object, error) {
	usage, known := usages[r.Usage]
	if !known {
		return nil, fmt.Errorf("unknown usage %q", r.Usage)
	}
	all, err := certificates(append(append([][]byte{r.Certificate}, r.Intermediates...), r.Roots...))
	if err != nil {
		return nil, err
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{usage}}
	if r.TimeMs != 0 {
		options.CurrentTime = time.UnixMilli(r.TimeMs)
	}
	for i, certificate := range all[1:] {
		if i < len(r.Intermediates) {
			options.Intermediates.AddCert(certificate)
		} else {
			options.Roots.AddCert(certificate)
		}
	}
	leaf := all[0]
	chains, err := leaf.Verify(options)
	if err != nil {
		return nil, err
	}
	return object{"chains": len(chains), "length": len(chains[0])}, nil
}

func stamp(r request) (object, error) {
	roots, err := certificates(r.Roots)
	if err != nil {
		return nil, err
	}
	intermediates, err := certificates(r.Intermediates)
	if err != nil {
		return nil, err
	}
	options := verification.VerifyOpts{Roots: roots, Intermediates: intermediates}
	if r.TimeMs != 0 {
		options.CurrentTime = time.UnixMilli(r.TimeMs)
	}
	if len(r.Certificate) > 0 {
		if options.TSACertificate, err = x509.ParseCertificate(r.Certificate); err != nil {
			return nil, err
		}
	}
	token, err := verification.VerifyTimestampResponse(r.Response, bytes.NewReader(r.Artifact), options)
	if err != nil {
		return nil, err
	}
	return object{"timeMs": token.Time.UnixMilli(), "policy": token.Policy.String(), "certificates": len(token.Certificates)}, nil
}
