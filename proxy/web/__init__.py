"""The doors: terminals, ops, and the problem types they answer with."""
