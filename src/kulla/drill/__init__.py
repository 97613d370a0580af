"""Rehearsals of an attack on a live, throwaway tower, with a score."""
