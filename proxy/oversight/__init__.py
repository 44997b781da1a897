"""What it all means: who has to look at an answered query afterwards, and whether they have."""
