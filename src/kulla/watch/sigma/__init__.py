"""Sigma rules in, ClickHouse SQL out: loading, the tree of a condition, anchors, routes."""
