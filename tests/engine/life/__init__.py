"""A package, so that the fixture of this scope ends with it, and not with the session."""
