"""The evidence bundle: entries of the log with everything that proves them, for somebody who has neither log nor server."""
