"""The one writer: commands become acts in order, join the journal, and wait for the quorum."""
