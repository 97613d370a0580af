"""The ordered, append-only log of all acts: entries, tiles, proofs, checkpoints, receipts."""
