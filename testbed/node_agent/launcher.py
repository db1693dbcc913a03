"""The script by which the agent starts `launch`: isolated and without site-packages, which is fast.

`-I` leaves the repository off the path, so this script adds it for the imports of `launch`.
"""

import sys

if __name__ == "__main__":
    sys.path.insert(0, __file__.removesuffix("/testbed/node_agent/launcher.py"))
    from testbed.node_agent.launch import main

    main()
