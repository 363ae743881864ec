"""Where charts are taken from, and which bytes they are."""
