"""Who is thought to be behind an incident, and how sure we are: judgements."""
