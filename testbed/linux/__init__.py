"""Calls to the kernel: namespaces, mounts and network devices."""
