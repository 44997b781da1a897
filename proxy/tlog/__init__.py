"""The transparency log: segments, Merkle tree, signed checkpoints, tiles and proofs. It knows bytes, never events."""
