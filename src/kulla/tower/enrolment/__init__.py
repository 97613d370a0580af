"""Allocates rounds of enrolment and moves their waiting lists, from registers and keeper."""
