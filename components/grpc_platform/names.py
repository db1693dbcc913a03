"""Names of AWS resources that may exist twice while one replaces the other."""


def name_prefix(name: str) -> str:
    """`name` cut to 36 characters, and a dash: what AWS's provider makes unique with 26 more.

    The strictest limits are 38 for an IAM role's prefix (64 in all) and 37 for a node group's
    (63 in all).
    """
    return f"{name[:36].rstrip('-')}-"
