"""The servers: what they are, and everything that is done to them over SSH."""
