// Whose signatures count: the log's keys, each in its time where a statement of a new key says which, and witnesses.
//
// Witnesses sign with the time (C2SP tlog-cosignature, algorithm 0x04), which sumdb/note has no verifier for. It takes
// one from outside: here it is. What is verified with it is still opened, matched and counted by sumdb/note.

package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"showcause/verify/sumdb/note"
	"showcause/verify/sumdb/tlog"
)

const (
	cosignature     = 4
	cosignatureSize = 8 + ed25519.SignatureSize
)

type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.hash }

func (w witness) Verify(text, signature []byte) bool {
	if len(signature) != cosignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, text)
	return ed25519.Verify(w.key, []byte(signed), signature[8:])
}

// newVerifier reads a verifier key: a log's (Ed25519, left to sumdb) or a witness's.
func newVerifier(vkey string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	id, encoded, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != cosignature {
		return note.NewVerifier(vkey)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	hash := binary.BigEndian.Uint32(sum[:])
	if said, err := strconv.ParseUint(id, 16, 32); err != nil || uint32(said) != hash {
		return nil, errors.New("the key id of the witness's key is not that of its key")
	}
	return witness{name, hash, raw[1:]}, nil
}

// logKey may sign checkpoints of first up to last entries, both included.
type logKey struct {
	note.Verifier
	first, last int64
}

type trust struct {
	logs      []logKey
	witnesses []note.Verifier
}

const statementOfNewKey = "showcause/rotate-key/v1\n"

// newTrust reads the log's keys, each given itself or by a file that holds it or the statement of a new key, and witnesses' keys.
func newTrust(folder string, keys, witnesses []string) (trust, error) {
	found := map[string]*logKey{}
	add := func(vkey string) (*logKey, error) {
		if known := found[vkey]; known != nil {
			return known, nil
		}
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", vkey, err)
		}
		found[vkey] = &logKey{verifier, 0, math.MaxInt64}
		return found[vkey], nil
	}
	var t trust
	statements := map[string]bool{}
	for _, key := range keys {
		text, err := given(folder, key)
		if err != nil {
			return t, err
		}
		if strings.HasPrefix(text, statementOfNewKey) {
			if !statements[text] {
				statements[text] = true
				err = rotate(text, add)
			}
		} else {
			_, err = add(strings.TrimSpace(text))
		}
		if err != nil {
			return t, err
		}
	}
	for _, key := range found {
		if t.logs = append(t.logs, *key); key.Name() != t.logs[0].Name() {
			return t, errors.New("the keys that -key names are of different logs")
		}
	}
	for _, vkey := range witnesses {
		verifier, err := newVerifier(vkey)
		if err != nil {
			return t, fmt.Errorf("%q: %w", vkey, err)
		}
		t.witnesses = append(t.witnesses, verifier)
	}
	return t, nil
}

// given returns a key, or what is in the file that it is given by: never one of the folder, which may hold any key it likes.
func given(folder, key string) (string, error) {
	content, err := os.ReadFile(key)
	if err != nil {
		if strings.Contains(key, "+") {
			return key, nil
		}
		return "", err
	}
	inside, err := filepath.EvalSymlinks(key)
	if err != nil {
		return "", err
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return "", err
	}
	for _, path := range []*string{&inside, &folder} {
		if *path, err = filepath.Abs(*path); err != nil {
			return "", err
		}
	}
	if strings.HasPrefix(inside, folder+string(filepath.Separator)) {
		return "", fmt.Errorf("%s lies in the folder, which does not vouch for its own keys: get it from the log's office", key)
	}
	return string(content), nil
}

// rotate reads a statement that both keys have signed: up to the size that it names the old one signs, from there on the new one.
func rotate(text string, add func(string) (*logKey, error)) error {
	lines := strings.SplitN(text, "\n", 7)
	if len(lines) != 7 || lines[5] != "" {
		return errors.New("this is not the statement of a new key")
	}
	size, err := strconv.ParseInt(lines[2], 10, 64)
	if err != nil || size < 1 {
		return fmt.Errorf("%q is no size", lines[2])
	}
	old, err := add(lines[3])
	if err != nil {
		return err
	}
	next, err := add(lines[4])
	if err != nil {
		return err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(old.Verifier, next.Verifier))
	if err != nil || len(opened.Sigs) != 2 || old.Name() != lines[1] || next.Name() != lines[1] {
		return errors.New("the statement of a new key is not signed by both keys")
	}
	if old.last != math.MaxInt64 || next.first != 0 {
		return errors.New("two statements change the same key: somebody signs with a key that was retired")
	}
	old.last, next.first = size, size
	return nil
}

// open returns the tree of a checkpoint, once a key of the log that may and every one of the witnesses' keys has signed it.
func (t trust) open(text []byte) (tlog.Tree, error) {
	verifiers := append([]note.Verifier{}, t.witnesses...)
	for _, key := range t.logs {
		verifiers = append(verifiers, key.Verifier)
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, err
	}
	signed := map[string]bool{}
	for _, signature := range opened.Sigs {
		signed[id(signature.Name, signature.Hash)] = true
	}
	for _, each := range t.witnesses {
		if !signed[id(each.Name(), each.KeyHash())] {
			return tlog.Tree{}, fmt.Errorf("%s has not signed", each.Name())
		}
	}
	lines := strings.SplitN(opened.Text, "\n", 4)
	if len(lines) != 4 || lines[0] != t.logs[0].Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", t.logs[0].Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return tlog.Tree{}, fmt.Errorf("%q is no size", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	for _, key := range t.logs {
		if key.first <= size && size <= key.last && signed[id(key.Name(), key.KeyHash())] {
			return tlog.Tree{N: size, Hash: root}, err
		}
	}
	return tlog.Tree{}, fmt.Errorf("no key of the log that may sign %d entries has signed", size)
}

// earlier returns whom a checkpoint of the log that somebody kept has to be signed by: the log alone.
func (t trust) earlier() trust { return trust{logs: t.logs} }

func id(name string, hash uint32) string { return fmt.Sprintf("%s+%08x", name, hash) }
