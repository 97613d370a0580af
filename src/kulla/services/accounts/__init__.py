"""Accounts: how people sign in, whom they may act for, and who on the staff may do what."""
