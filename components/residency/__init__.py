"""Residency: destinations of data, who controls them, and under which country's law."""
