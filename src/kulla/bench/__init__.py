"""How fast this machine acknowledges acts, and how fast it rebuilds."""
