"""What the agent runs to start `launch`: isolated and without site-packages, which is fast.

`-I` leaves the repository off the path; the modules that `launch` imports are found from here.
"""

import sys

if __name__ == "__main__":
    sys.path.insert(0, __file__.removesuffix("/testbed/node_agent/launcher.py"))
    from testbed.node_agent.launch import main

    main()
