"""What follows: facts become a ruling (casbin) and a decision (ours)."""
