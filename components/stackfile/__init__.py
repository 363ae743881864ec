"""The stack file: its one reader, its root model, the rules between its parts, its JSON Schema."""
