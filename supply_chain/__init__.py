"""Checks of what is shipped and deployed: scanners' findings, and the wheels' SBOMs."""
