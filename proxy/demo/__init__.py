"""The demo: a generated records database, a real records server, and the story told over HTTP."""
