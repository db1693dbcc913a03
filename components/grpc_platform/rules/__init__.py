"""The rules between values, each rule once.

A rule takes specs and yields a `Mistake` for everything that is wrong. This program's config
collects the mistakes of a whole stack file; a component's constructor raises its own with `refuse`.
Paths are those of a stack file, which are the specs' own field names.
"""

from .mistake import Mistake as Mistake
from .mistake import Path as Path
from .mistake import refuse as refuse
