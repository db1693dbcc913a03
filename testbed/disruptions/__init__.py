"""Disruptions of a platform in use, made to happen on the local cluster.

Each acts from inside the sandbox and raises LocalError if it cannot. Lasting ones are context
managers that restore the cluster.
"""
