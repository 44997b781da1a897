"""Fetch: a permitted inquiry and its receipt become a reply."""
