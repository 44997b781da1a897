"""The leak trace: what was published, and which entries of the log disclosed exactly that before."""
