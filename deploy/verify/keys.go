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
	"strconv"
	"strings"

	"showcause/verify/sumdb/note"
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
