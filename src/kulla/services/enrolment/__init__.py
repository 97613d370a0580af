"""School enrolment: a national round from its rules to the class lists, which parents can check."""
