"""Who asks: a credential becomes a principal."""
