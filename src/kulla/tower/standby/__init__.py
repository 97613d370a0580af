"""A standby as processes and a folder; what it does without them is kulla.standby."""
