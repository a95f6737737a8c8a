//! TLS: which certificates are trusted, which protocol is asked for.
