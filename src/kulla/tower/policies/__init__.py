"""The policy file as it changes: the next version, and those before."""
