"""Families apply for their children, by themselves or at a counter."""
