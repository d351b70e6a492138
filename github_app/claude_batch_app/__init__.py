"""The GitHub App: claude-batch behind an installation instead of a workflow."""
