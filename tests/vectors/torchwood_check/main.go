// Command torchwood_check reads what Kulla wrote with filippo.io/torchwood, which Kulla's authors did
// not write: a policy file, receipts (tlog-proofs) and a journal's folder (tlog-tiles).
//
//	torchwood_check receipt POLICY RECEIPT ENTRY   prove the bytes of ENTRY
//	torchwood_check journal POLICY FOLDER          check the checkpoint and read every entry
//
// It prints what it found, or ends with status 1 and the reason.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: receipt POLICY RECEIPT ENTRY | journal POLICY FOLDER"))
	}
	policy, err := torchwood.ParsePolicy(read(os.Args[2]))
	if err != nil {
		fail(fmt.Errorf("policy: %w", err))
	}
	switch os.Args[1] {
	case "receipt":
		receipt(policy, read(os.Args[3]), read(os.Args[4]))
	case "journal":
		journal(policy, os.Args[3])
	default:
		fail(fmt.Errorf("no such task: %s", os.Args[1]))
	}
}

func receipt(policy torchwood.Policy, proof, entry []byte) {
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(entry), proof); err != nil {
		fail(fmt.Errorf("receipt: %w", err))
	}
	extra, err := torchwood.ProofExtraData(proof)
	if err != nil {
		fail(fmt.Errorf("extra: %w", err))
	}
	fmt.Printf("proven, with %d bytes of extra\n", len(extra))
}

func journal(policy torchwood.Policy, folder string) {
	note := read(filepath.Join(folder, "checkpoint"))
	checkpoint, _, err := torchwood.VerifyCheckpoint(note, policy)
	if err != nil {
		fail(fmt.Errorf("checkpoint: %w", err))
	}
	files, err := torchwood.NewTileFS(os.DirFS(folder))
	if err != nil {
		fail(err)
	}
	client, err := torchwood.NewClient(files)
	if err != nil {
		fail(err)
	}
	all, count := sha256.New(), int64(0)
	// The client checks every entry against the tree of the checkpoint before it hands it over.
	for index, entry := range client.AllEntries(context.Background(), checkpoint.Tree, 0) {
		if index != count {
			fail(fmt.Errorf("entry %d came in place of %d", index, count))
		}
		all.Write(entry)
		count++
	}
	if err := client.Err(); err != nil {
		fail(fmt.Errorf("journal: %w", err))
	}
	if count != checkpoint.N {
		fail(fmt.Errorf("journal: %d entries of %d", count, checkpoint.N))
	}
	fmt.Printf("%s %d %x\n", checkpoint.Origin, count, all.Sum(nil))
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		fail(err)
	}
	return data
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
