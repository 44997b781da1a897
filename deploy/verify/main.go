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

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "REFUSED:", err)
		os.Exit(1)
	}
}

// run is verify log|bundle PATH -key VKEY [-witness VKEY …] [-earlier CHECKPOINT …].
func run(arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("say what to verify: log|bundle PATH -key VKEY")
	}
	var keys, witnesses, earlier list
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.Var(&keys, "key", "the log's verifier key, from the log's office and not from the folder")
	flags.Var(&witnesses, "witness", "a witness's verifier key; every one named must have cosigned")
	flags.Var(&earlier, "earlier", "a checkpoint of this log that somebody kept")
	if err := flags.Parse(arguments[2:]); err != nil {
		return err
	}
	if len(keys) != 1 {
		return errors.New("name the log's one key with -key")
	}
	switch arguments[0] {
	case "log":
		return verifyLog(arguments[1], append(keys, witnesses...), earlier)
	case "bundle":
		return verifyBundle(arguments[1], append(keys, witnesses...))
	default:
		return fmt.Errorf("%q cannot be verified", arguments[0])
	}
}
