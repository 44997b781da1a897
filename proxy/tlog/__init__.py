"""The log itself: bytes become a receipt (segments, Merkle tree, checkpoints, proofs)."""
