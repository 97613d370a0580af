"""The ministry prepares a round: its days, rules, schools, programmes and seats."""
