"""What a node must be: facts from a survey, checks against limits, the verdict."""
