"""The operators' pages of the staff: who has which role, and how two of them give one."""
