"""Canaries that are promoted or rolled back by what their requests show: evidence, judgement, and the record."""
