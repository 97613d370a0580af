"""Who is there: codes by mail and telephone, passkeys, signing up, and who may work as what."""
