"""What people set for themselves: addresses, keys, people, sessions, and what is stored of them."""
