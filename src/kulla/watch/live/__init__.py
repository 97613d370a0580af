"""The watch that goes on: logs are followed, and nothing is lost or told twice over a restart."""
