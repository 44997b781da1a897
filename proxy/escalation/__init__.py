"""Has a supervisor agreed: escalations, and the grants they yield."""
