"""What `kulla doctor` looks at, one file a place."""
