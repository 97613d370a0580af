"""Signing in with the national e-ID: OpenID Connect, as a client of one provider."""
