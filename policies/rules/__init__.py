"""The policies, a file for each domain. Each policy is one declaration; the engine finds them here by itself."""
