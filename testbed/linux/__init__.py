"""What the kernel is asked for: namespaces, mounts and network devices."""
