"""Who is protected: criteria or a record become protections and a relation to the principal."""
