"""The witness: somebody else's memory of what the log has signed."""
