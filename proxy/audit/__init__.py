"""What is remembered: events, their encoding and sealing, and the log protocol every room records through."""
