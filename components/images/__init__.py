"""Where images are taken from, and which bytes they are."""
