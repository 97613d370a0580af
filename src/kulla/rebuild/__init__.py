"""From the journal to registers: the same replay for a first start, a standby and a takeover."""
