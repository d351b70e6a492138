"""Code review through the Message Batches API, remembered on a git branch."""

__version__ = "0.1.0"
