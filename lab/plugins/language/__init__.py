"""Language host for Python: runs programs and policy packs for the engine."""
