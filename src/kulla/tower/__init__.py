"""Joins the parts into processes; the only place where real edges are chosen."""
