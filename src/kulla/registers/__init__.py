"""Registers: tables of plain rows derived from the journal, and how acts change them. No Django."""
