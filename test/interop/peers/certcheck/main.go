// certcheck asks Go's crypto/x509 and Sigstore's timestamp library about certificates and tokens of ours. It reads one
// JSON request per line on stdin and answers each with one JSON line, so that a test starts it once.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// request is one question; byte fields are base64, certificates DER.
type request struct {
	Op            string   `json:"op"`
	Certificate   []byte   `json:"certificate"`
	Intermediates [][]byte `json:"intermediates"`
	Roots         [][]byte `json:"roots"`
	// chain: "any", "server", "client", "code", "time"
	Usage string `json:"usage"`
	// chain and timestamp: milliseconds since the epoch; 0 is now, and the token's own time for timestamp
	TimeMs int64 `json:"timeMs"`
	// timestamp: DER TimeStampResp and what was stamped
	Response []byte `json:"response"`
	Artifact []byte `json:"artifact"`
}

type object map[string]any

var operations = map[string]func(request) (object, error){
	"parse":     parse,
	"chain":     chain,
	"timestamp": stamp,
}

func answer(line []byte) object {
	var r request
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&r)
	if err == nil && operations[r.Op] == nil {
		err = fmt.Errorf("unknown op %q", r.Op)
	}
	var out object
	if err == nil {
		out, err = operations[r.Op](r)
	}
	if err != nil {
		return object{"ok": false, "error": err.Error()}
	}
	out["ok"] = true
	return out
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	encoder := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := encoder.Encode(answer(lines.Bytes())); err != nil {
			os.Exit(1)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
