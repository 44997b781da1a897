"""Why: the purpose header, the catalogue of codes, the case directory and the principal's standing."""
