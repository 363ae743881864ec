"""The preflight: facts from a survey, checks against limits, the verdict."""
