"""The post: which letters are due, and how they go."""
