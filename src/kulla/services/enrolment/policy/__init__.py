"""The allocation itself, pure and fast: rules, market, lottery order, assignment, transcripts."""
