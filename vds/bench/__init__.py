"""Measurements of a real cluster, made by pods of their own that are gone afterwards."""
