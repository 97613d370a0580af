"""Keys of people's data: made here, used here, wrapped for the embassies, recoverable elsewhere."""
