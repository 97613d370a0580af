"""Log records in, incidents and responses out: detections by rules, and what belongs together."""
