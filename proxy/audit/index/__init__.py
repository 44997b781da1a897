"""An index over the log, so that who, whom, which case and which terminal are answered in milliseconds.

A cache and never evidence: it is made from the log and can be made again at any time, it holds no value in clear, and what it
points at is read from the log before anybody is shown it.
"""
