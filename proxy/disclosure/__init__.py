"""What may leave: a reply and the policy per record become a disclosure."""
