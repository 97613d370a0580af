"""Lines between the processes of one home: Unix sockets, one question and one answer at a time."""
