module stepseal.dev/peers/certcheck

go 1.25.0

require github.com/sigstore/timestamp-authority/v2 v2.1.2

require (
	github.com/digitorus/pkcs7 v0.0.0-20230818184609-3a137a874352 // indirect
	github.com/digitorus/timestamp v0.0.0-20231217203849-220c5c2851b7 // indirect
	github.com/pkg/errors v0.9.1 // indirect
)
