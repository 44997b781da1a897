"""The street: every room in order, one query at a time."""
