"""What clerks do at the desk: their pages, and the rules that hold for them alone."""
