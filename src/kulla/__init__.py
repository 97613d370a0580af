"""Kulla keeps a country's public services running through a destructive attack."""
