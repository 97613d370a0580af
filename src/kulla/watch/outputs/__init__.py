"""Detections as others want them: JSON, CSV, OCSF, a page, a table."""
