// A second opinion on a log's folder, by the code that Go itself checks its module database with.
//
// It reads what the C2SP tlog-tiles layout publishes: checkpoint, tiles and entry bundles. Of the hashing, the proofs and the
// signatures nothing was written for this log: all of it is golang.org/x/mod/sumdb.

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"showcause/verify/sumdb/tlog"
)

const height = 8 // C2SP tlog-tiles: 256 hashes a tile

// folder reads tiles from disk. A tile narrower than the one that is there is its prefix.
type folder string

func (f folder) Height() int                         { return height }
func (f folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := f.read(tile)
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is cut off", tile.Path())
		}
		found = append(found, data[:tile.W*tlog.HashSize])
	}
	return found, nil
}

// read returns a hash tile, or an entry bundle (level -1), as wide as it is on disk.
func (f folder) read(tile tlog.Tile) ([]byte, error) {
	path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
	path = filepath.Join(string(f), strings.Replace(path, "tile/8/", "tile/", 1))
	data, err := os.ReadFile(path)
	if err == nil || tile.W == 1<<height {
		return data, err
	}
	wide, _, _ := strings.Cut(path, ".p/")
	if data, err := os.ReadFile(wide); err == nil {
		return data, nil
	}
	wider, _ := filepath.Glob(wide + ".p/*")
	for _, other := range wider {
		if width, err := strconv.Atoi(filepath.Base(other)); err == nil && width > tile.W {
			return os.ReadFile(other)
		}
	}
	return nil, err
}

// split returns the entries of a bundle: uint16 length, bytes.
func split(data []byte) ([][]byte, error) {
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("not an entry bundle")
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries, data = append(entries, data[2:end]), data[end:]
	}
	return entries, nil
}

// verifyLog reads every tile and every entry, and proves some of them, and every earlier checkpoint, the long way round.
func verifyLog(path string, t trust, earlier []string) error {
	text, err := os.ReadFile(filepath.Join(path, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := t.open(text)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	hashes := tlog.TileHashReader(tree, folder(path))
	for number := int64(0); number<<height < tree.N; number++ {
		if err := verifyEntries(folder(path), hashes, number, min(tree.N-number<<height, 1<<height)); err != nil {
			return err
		}
	}
	for _, name := range earlier {
		if err := verifyEarlier(name, t.earlier(), tree, hashes); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Printf("%d entries hold, root %s, %d earlier checkpoints\n", tree.N, tree.Hash, len(earlier))
	return proveSome(tree, hashes)
}

// verifyEntries holds a bundle's entries against the level-0 hashes, which the reader has traced to the root.
func verifyEntries(from folder, hashes tlog.HashReader, number, width int64) error {
	data, err := from.read(tlog.Tile{H: height, L: -1, N: number, W: int(width)})
	if err != nil {
		return err
	}
	entries, err := split(data)
	if err != nil || int64(len(entries)) < width {
		return fmt.Errorf("the bundle of entry %d cannot be read", number<<height)
	}
	var indexes []int64
	for place := range width {
		indexes = append(indexes, tlog.StoredHashIndex(0, number<<height+place))
	}
	signed, err := hashes.ReadHashes(indexes)
	if err != nil {
		return err
	}
	for place := range width {
		if got := tlog.RecordHash(entries[place]); !bytes.Equal(got[:], signed[place][:]) {
			return fmt.Errorf("entry %d is not what was signed", number<<height+place)
		}
	}
	return nil
}

// verifyEarlier proves that the log has only grown since a checkpoint that somebody kept.
func verifyEarlier(name string, t trust, tree tlog.Tree, hashes tlog.HashReader) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	old, err := t.open(text)
	if err != nil {
		return err
	}
	if old.N > tree.N {
		return fmt.Errorf("it covers %d entries, the log has %d", old.N, tree.N)
	}
	if old.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

func proveSome(tree tlog.Tree, hashes tlog.HashReader) error {
	for _, index := range []int64{0, tree.N / 3, tree.N - 1} {
		proof, err := tlog.ProveRecord(tree.N, index, hashes)
		if err != nil {
			return err
		}
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf[0]); err != nil {
			return err
		}
	}
	return nil
}
