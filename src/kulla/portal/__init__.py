"""The web site: pages, sign-in, errors. It asks the tower, reads registers, and writes neither."""
