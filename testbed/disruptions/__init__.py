"""What happens to a platform in use, made to happen on the local cluster.

Each acts from inside the sandbox and raises LocalError if it cannot. Those that last are context
managers, and leave the cluster as it was.
"""
