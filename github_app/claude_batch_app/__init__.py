"""The GitHub App: the verbs of claude-batch behind an installation instead of a workflow."""
