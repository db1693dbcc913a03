"""Seeded faults: plants one fault at a time in the components and tells who catches it.

The faults are made by operators from the source (`faults`), not by taste. A fault that nothing
catches is a setting that nobody would miss: write a test that says why it is there, or argue in
`argued.yaml` why none is needed.
"""
