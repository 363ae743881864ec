"""The platform's building blocks: one folder per domain, the same files in the same order in each."""
