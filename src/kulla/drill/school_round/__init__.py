"""A round of enrolment that home does not live to post: the rest comes at the new home."""
