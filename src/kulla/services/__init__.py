"""The public services: each folder is one service, and a new one begins as a copy of another."""
