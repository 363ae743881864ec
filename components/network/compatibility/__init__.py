"""Which versions work together."""
