"""What a round came to: results, answers, waiting lists, late arrivals, appeals, class lists."""
