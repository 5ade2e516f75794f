package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"strata/internal/secrets"
	"strata/projections/audit"
)

// newAuditKey is the key that exports of the audit trail are signed with. It
// follows from the master key, so it is the same after a restart and nobody
// has to keep another secret.
func newAuditKey(sealer *secrets.Sealer) (ed25519.PrivateKey, error) {
	seed, err := sealer.Derive("strata audit export signature v1")
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// auditTool checks exported files; it needs no installation.
func auditTool(_ context.Context, args []string, out io.Writer) (err error) {
	usage := errors.New("usage: strata audit verify FILE [--key PUBLIC_KEY]")
	if len(args) < 2 || args[0] != "verify" || args[1] == "" || args[1][0] == '-' {
		return usage
	}
	fs := flag.NewFlagSet("strata audit verify", flag.ContinueOnError)
	keyText := fs.String("key", "", "the `key` that must have signed the file, as GET /api/v1/audit/verify names it")
	if err := parse(fs, args[2:], out); err != nil {
		return err
	}
	var key ed25519.PublicKey
	if *keyText != "" {
		if key, err = audit.ParseKey(*keyText); err != nil {
			return err
		}
	}
	file, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	proof, err := audit.Check(file, key)
	if err != nil {
		return fmt.Errorf("%s is not as it was exported: %w", args[1], err)
	}
	kind := "all of them in a row"
	if !proof.Contiguous {
		kind = "a selection"
	}
	if _, err := fmt.Fprintf(out, "%s: %d entries of %s, %s; last hash %s\nexported %s, when the chain had %d entries and ended with %s\n",
		args[1], proof.Count, proof.Chain, kind, proof.Last, proof.Exported, proof.Entries, proof.Head); err != nil {
		return err
	}
	if key == nil {
		_, err = fmt.Fprintf(out, "signed with %s: compare it with the installation's key, or give it as --key\n", proof.PublicKey)
		return err
	}
	_, err = fmt.Fprintln(out, "signed with the given key")
	return err
}
