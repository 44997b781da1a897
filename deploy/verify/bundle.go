// An evidence bundle, by Go's own sumdb: the manifest, the checkpoint's signatures, every entry's inclusion, every body's hash,
// and that the range is all there is between its ends.

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"showcause/verify/sumdb/tlog"
)

type question struct {
	By         string            `json:"by"`
	Value      string            `json:"value"`
	Tokens     map[string]string `json:"tokens"`
	Since      string            `json:"since"`
	Until      string            `json:"until"`
	Range      []int64           `json:"range"`
	Entries    []int64           `json:"entries"`
	Disclosed  []int64           `json:"disclosed"`
	Shredded   []int64           `json:"shredded"`
	Policies   []string          `json:"policies"`
	Policy     string            `json:"policy"`
	ExportedAt string            `json:"exported_at"`
	Exporter   string            `json:"exporter"`
	Case       string            `json:"case"`
}

type entry struct {
	At      string              `json:"at"`
	About   string              `json:"about"`
	Epoch   string              `json:"epoch"`
	Parties map[string][]string `json:"parties"`
	Body    string              `json:"body"`
}

type bundle struct {
	path     string
	question question
	tree     tlog.Tree
	text     []byte // the checkpoint
}

func (b bundle) read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(b.path, name)) }

func verifyBundle(path string, t trust, manifest string) error {
	b := bundle{path: path}
	for _, list := range []string{"tagmanifest-sha256.txt", "manifest-sha256.txt"} {
		if err := b.listed(list); err != nil {
			return err
		}
	}
	list, err := b.read("manifest-sha256.txt")
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%x", sha256.Sum256(list))
	if manifest != "" && !strings.EqualFold(manifest, name) {
		return fmt.Errorf("manifest-sha256.txt is not the one that was exported: its SHA-256 is %s", name)
	}
	if b.text, err = b.read("data/checkpoint"); err != nil {
		return err
	}
	if b.tree, err = t.open(b.text); err != nil {
		return fmt.Errorf("data/checkpoint: %w", err)
	}
	content, err := b.read("data/question.json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, &b.question); err != nil {
		return fmt.Errorf("data/question.json: %w", err)
	}
	if b.question.Range != nil && len(b.question.Range) != 2 {
		return errors.New("data/question.json: its range is no two numbers")
	}
	for _, index := range b.question.Entries {
		if err := b.entry(index); err != nil {
			return err
		}
	}
	if err := b.earlier(t.earlier()); err != nil {
		return err
	}
	for _, check := range []func() error{b.keys, b.policies, func() error { return b.papers(name) }} {
		if err := check(); err != nil {
			return err
		}
	}
	if manifest == "" && b.question.Range != nil && b.tree.N > 0 && len(b.question.Disclosed) == 0 {
		return fmt.Errorf("data/question.json: nothing shows that the tokens are those of %s %s, for no entry is opened: name the manifest with -manifest, as the export printed it", b.question.By, b.question.Value)
	}
	fmt.Printf("%d entries hold, of %d in the log, root %s\n", len(b.question.Entries), b.tree.N, b.tree.Hash)
	return b.complete()
}

var places = regexp.MustCompile(`^data/(viewer\.html|question\.json|checkpoint|range/proof|range/[0-9]{12}\.entries|` +
	`entries/[0-9]{12}\.json|proofs/[0-9]{12}\.tlog-proof|bodies/[0-9]{12}\.body|keys/[0-9]{12}\.key|` +
	`earlier/[0-9]+\.(checkpoint|proof)|policies/.+)$`)

// listed holds a manifest against the files, and the files against the manifest.
func (b bundle) listed(list string) error {
	content, err := b.read(list)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		digest, name, found := strings.Cut(line, "  ")
		if !found || !fs.ValidPath(name) || names[name] {
			return fmt.Errorf("%s: %q is no line of a manifest", list, line)
		}
		if strings.HasPrefix(name, "data/") && !places.MatchString(name) {
			return fmt.Errorf("%s is no file of a bundle", name)
		}
		names[name] = true
		data, err := b.read(name)
		if err != nil {
			return fmt.Errorf("%s is missing", name)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != digest {
			return fmt.Errorf("%s is not what %s lists", name, list)
		}
	}
	ofData := list == "manifest-sha256.txt"
	return filepath.WalkDir(b.path, func(path string, item fs.DirEntry, err error) error {
		if err != nil || item.IsDir() {
			return err
		}
		name, err := filepath.Rel(b.path, path)
		name = filepath.ToSlash(name)
		if strings.HasPrefix(name, "data/") == ofData && !names[name] && name != "tagmanifest-sha256.txt" {
			return fmt.Errorf("%s is in no list", name)
		}
		return err
	})
}

// entry proves an entry by its tlog-proof, and its body by the hash that it holds.
func (b bundle) entry(index int64) error {
	leaf, err := b.read(fmt.Sprintf("data/entries/%012d.json", index))
	if err != nil {
		return err
	}
	name := fmt.Sprintf("data/proofs/%012d.tlog-proof", index)
	proof, err := b.read(name)
	if err != nil {
		return err
	}
	head, checkpoint, _ := bytes.Cut(proof, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprintf("index %d", index) || !bytes.Equal(checkpoint, b.text) {
		return fmt.Errorf("%s is no proof of entry %d", name, index)
	}
	path, err := hashes(lines[2:])
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := tlog.CheckRecord(path, b.tree.N, b.tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("entry %d is not what the log holds: %w", index, err)
	}
	var said entry
	if err := json.Unmarshal(leaf, &said); err != nil {
		return err
	}
	body, err := b.read(fmt.Sprintf("data/bodies/%012d.body", index))
	if said.Body == "" || slices.Contains(b.question.Shredded, index) {
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("data/bodies/%012d.body is there, and nothing was sealed or all was shredded", index)
		}
		return nil
	}
	if sum := sha256.Sum256(body); err != nil || hex.EncodeToString(sum[:]) != said.Body {
		return fmt.Errorf("data/bodies/%012d.body is not the body whose hash the entry holds", index)
	}
	return nil
}

// keys holds the keys that are there against those that data/question.json says are. That they open their bodies is not looked at.
func (b bundle) keys() error {
	found, _ := filepath.Glob(filepath.Join(b.path, "data/keys/*.key"))
	for _, index := range b.question.Disclosed {
		if name := filepath.Join(b.path, fmt.Sprintf("data/keys/%012d.key", index)); !slices.Contains(found, name) {
			return fmt.Errorf("data/keys/%012d.key is missing", index)
		}
	}
	if len(found) != len(b.question.Disclosed) {
		return errors.New("data/keys has another number of keys than data/question.json discloses entries")
	}
	return nil
}

// policies holds the policy's files against the digest of the version that ruled.
func (b bundle) policies() error {
	digest, there := sha256.New(), 0
	slices.Sort(b.question.Policies)
	for _, name := range b.question.Policies {
		content, err := b.read("data/policies/" + name)
		if err != nil {
			return err
		}
		fmt.Fprintf(digest, "%s\x00%d\x00%s", name, len(content), content)
	}
	err := filepath.WalkDir(filepath.Join(b.path, "data/policies"), func(_ string, item fs.DirEntry, err error) error {
		if err == nil && !item.IsDir() {
			there++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if there != len(b.question.Policies) || there > 0 && hex.EncodeToString(digest.Sum(nil)) != b.question.Policy {
		return errors.New("the files in data/policies are not the policy that ruled")
	}
	return nil
}

// papers holds what README and certification state against the evidence. Their other words nothing vouches for but the manifest's hash.
func (b bundle) papers(manifest string) error {
	q, n := b.question, len(b.question.Entries)
	state := fmt.Sprintf("%d entries with the root\n   %x.\n", b.tree.N, b.tree.Hash[:])
	for name, lines := range map[string][]string{
		"README.txt": {
			fmt.Sprintf("\nEntries            %d, of which %d are opened for reading\n", n, len(q.Disclosed)),
			fmt.Sprintf("\nExported           %s by %s\nFor the case       %s\n", q.ExportedAt, q.Exporter, q.Case),
			fmt.Sprintf("\nState of the log   %d entries, root %x\n", b.tree.N, b.tree.Hash[:]),
			fmt.Sprintf("\nThis bundle's name %s\n", manifest),
		},
		"certification.txt": {
			fmt.Sprintf("\n4. The records. On %s %s exported from that log, for the case %s:\n", q.ExportedAt, q.Exporter, q.Case),
			fmt.Sprintf("\n   The answer has %d entries. The log then held %s", n, state),
			fmt.Sprintf("\n   whose own SHA-256 hash is\n   %s", manifest),
		},
	} {
		content, err := b.read(name)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if strings.Count(string(content), line) != 1 {
				return fmt.Errorf("%s does not state what the evidence is: %q", name, strings.TrimSpace(line))
			}
		}
	}
	return nil
}

func (b bundle) earlier(t trust) error {
	names, _ := filepath.Glob(filepath.Join(b.path, "data/earlier/*.checkpoint"))
	if proofs, _ := filepath.Glob(filepath.Join(b.path, "data/earlier/*.proof")); len(proofs) != len(names) {
		return errors.New("data/earlier has another number of proofs than of checkpoints")
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		old, err := t.open(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		proof, err := os.ReadFile(strings.TrimSuffix(name, "checkpoint") + "proof")
		if err != nil {
			return err
		}
		path, err := hashes(strings.Fields(string(proof)))
		if err != nil {
			return err
		}
		if old.N > 0 {
			if err := tlog.CheckTree(path, b.tree.N, b.tree.Hash, old.N, old.Hash); err != nil {
				return fmt.Errorf("%s: the log did not merely grow since: %w", name, err)
			}
		}
	}
	return nil
}

// complete looks through every entry of the range for one that answers the question and was left out.
func (b bundle) complete() error {
	if b.question.Range == nil {
		fmt.Println("entries were asked for by number: nothing is claimed of others")
		return nil
	}
	leaves, err := b.leaves()
	if err != nil {
		return err
	}
	said := make([]entry, len(leaves))
	abouts, chosen := map[string]bool{}, map[int64]bool{}
	for place, leaf := range leaves {
		if err := json.Unmarshal(leaf, &said[place]); err != nil {
			return err
		}
		if said[place].About != "" && b.within(said[place]) && b.names(said[place]) {
			abouts[said[place].About] = true
		}
	}
	first, end := b.question.Range[0], b.question.Range[1]
	if n := len(said); n == 0 && b.tree.N > 0 || n > 0 && !(first == 0 || b.question.Since != "" && said[0].At < b.question.Since) ||
		n > 0 && !(end == b.tree.N || b.question.Until != "" && said[n-1].At >= b.question.Until) {
		return errors.New("the range does not reach as far as the time asked for")
	}
	for _, index := range b.question.Entries {
		chosen[index] = true
	}
	for place, each := range said {
		index := first + int64(place)
		if answers := b.within(each) && (abouts[each.About] || b.names(each)); answers != chosen[index] {
			return fmt.Errorf("entry %d: answers the question: %t, is in the bundle: %t", index, answers, chosen[index])
		}
		if _, known := b.question.Tokens[each.Epoch]; b.within(each) && !known {
			return fmt.Errorf("no token is given for the epoch %q of entry %d", each.Epoch, index)
		}
	}
	fmt.Printf("complete: none of the %d entries of the range was left out that carries a token of data/question.json; that these are "+
		"the tokens of %s %s, opened entries say, or the manifest's hash\n", len(said), b.question.By, b.question.Value)
	return nil
}

func (b bundle) within(each entry) bool {
	return (b.question.Since == "" || each.At >= b.question.Since) && (b.question.Until == "" || each.At < b.question.Until)
}

func (b bundle) names(each entry) bool {
	token, known := b.question.Tokens[each.Epoch]
	for _, carried := range each.Parties[b.question.By] {
		if known && carried == token {
			return true
		}
	}
	return false
}

// leaves returns the range's entries, once they and the subtrees around them lead to the signed root.
func (b bundle) leaves() ([][]byte, error) {
	content, err := b.read("data/range/proof")
	if err != nil {
		return nil, err
	}
	around, err := hashes(strings.Fields(string(content)))
	if err != nil {
		return nil, err
	}
	names, _ := filepath.Glob(filepath.Join(b.path, "data/range/*.entries"))
	sort.Strings(names)
	var leaves [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		entries, err := split(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		leaves = append(leaves, entries...)
	}
	first, end := b.question.Range[0], b.question.Range[1]
	if end-first != int64(len(leaves)) || end > b.tree.N || first < 0 {
		return nil, fmt.Errorf("the range has %d entries, not %d", len(leaves), end-first)
	}
	var peaks []peak
	take := func(low, high int64) error {
		for low < high {
			height := bits.Len64(uint64(high-low)) - 1
			if low > 0 {
				height = min(height, bits.TrailingZeros64(uint64(low)))
			}
			if len(around) == 0 {
				return errors.New("data/range/proof is too short")
			}
			peaks, around = push(peaks, peak{height, around[0]}), around[1:]
			low += 1 << height
		}
		return nil
	}
	if err := take(0, first); err != nil {
		return nil, err
	}
	for _, leaf := range leaves {
		peaks = push(peaks, peak{0, tlog.RecordHash(leaf)})
	}
	if err := take(end, b.tree.N); err != nil {
		return nil, err
	}
	if len(around) != 0 || rootOf(peaks) != b.tree.Hash {
		return nil, errors.New("the range is not what the log holds: an entry of it was altered, left out or put in")
	}
	return leaves, nil
}

type peak struct {
	height int
	hash   tlog.Hash
}

func push(peaks []peak, next peak) []peak {
	for len(peaks) > 0 && peaks[len(peaks)-1].height == next.height {
		next = peak{next.height + 1, tlog.NodeHash(peaks[len(peaks)-1].hash, next.hash)}
		peaks = peaks[:len(peaks)-1]
	}
	return append(peaks, next)
}

func rootOf(peaks []peak) tlog.Hash {
	if len(peaks) == 0 {
		return tlog.Hash(sha256.Sum256(nil))
	}
	root := peaks[len(peaks)-1].hash
	for place := len(peaks) - 2; place >= 0; place-- {
		root = tlog.NodeHash(peaks[place].hash, root)
	}
	return root
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		found = append(found, hash)
	}
	return found, nil
}
