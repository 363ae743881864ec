"""What an auditor gets of a stack: where its data is processed, under whose law, and what was proved of it."""
