"""CNIs that somebody else installs: what they are, and what is wrong with them here."""
