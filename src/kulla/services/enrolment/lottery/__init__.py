"""A lottery that nobody could choose: commitments, reveals, and the seed."""
