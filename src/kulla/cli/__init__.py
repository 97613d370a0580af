"""What an operator types. Each command imports what it needs when it runs, not before."""
