"""The embassy: a site outside home's reach that mirrors the journal and cosigns."""
