"""The undo drill: weeks of an intruder's acts among a country's, taken out again, and compared."""
