"""Messages: what was sent to whom, and what could not be."""
