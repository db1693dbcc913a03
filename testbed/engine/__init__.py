"""The real Pulumi engine on the testbed: its parts, a home of its own, a stand-in for AWS."""
