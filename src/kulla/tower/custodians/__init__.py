"""What custodians do on machines of their own."""
