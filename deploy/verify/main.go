// showcause-verify checks a log's folder or an evidence bundle with Go's own golang.org/x/mod/sumdb. See README.md beside it.

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// misuse is what is no matter of the log or the bundle.
type misuse struct{ error }

func main() {
	err := run(os.Args[1:])
	if wrong := (misuse{}); errors.As(err, &wrong) {
		fmt.Fprintln(os.Stderr, "WRONG USE:", err)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "REFUSED:", err)
		os.Exit(1)
	}
}

// run is verify log|bundle PATH -key VKEY … [-witness VKEY …] [-earlier CHECKPOINT …] [-manifest SHA256].
func run(arguments []string) error {
	if len(arguments) < 2 || arguments[0] != "log" && arguments[0] != "bundle" {
		return misuse{errors.New("say what to verify: log|bundle PATH -key VKEY")}
	}
	var keys, witnesses, earlier list
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.Var(&keys, "key", "the log's verifier key, or a file with it or with the statement of a new key; from the log's office")
	flags.Var(&witnesses, "witness", "a witness's verifier key; every one named must have cosigned")
	flags.Var(&earlier, "earlier", "a checkpoint of this log that somebody kept")
	manifest := flags.String("manifest", "", "the SHA-256 of the bundle's manifest, as the export printed it")
	if err := flags.Parse(arguments[2:]); err != nil {
		return misuse{err}
	}
	path := arguments[1]
	if there, err := os.Stat(path); err != nil {
		return misuse{err}
	} else if !there.IsDir() {
		return misuse{fmt.Errorf("%s is no folder: unpack it first", path)}
	}
	if len(keys) == 0 || flags.NArg() > 0 {
		return misuse{errors.New("name the log's key with -key, and what else there is with -witness and -earlier")}
	}
	t, err := newTrust(path, keys, witnesses)
	if err != nil {
		return misuse{err}
	}
	if arguments[0] == "log" {
		return verifyLog(path, t, earlier)
	}
	return verifyBundle(path, t, *manifest)
}
