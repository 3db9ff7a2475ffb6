"""What can be called: functions, jobs and commands. Importing any of them begins here, so what makes importing quick is here.

Python looks for cyclic garbage after each 700 new objects. What is imported stays, and looking through it took 6 to 10 % of
the CPU time of importing the function predict (measured). From the first import on it looks less often; a process that
answers requests sets its own pace once a model is loaded (`api._lib.collector`).
"""

import gc
import sys

gc.set_threshold(50_000, 20, 50)

# FastAPI looks for models of pydantic 1 in every field, for which it imports all of that version, with the first route.
# This makes the import fail at once, which FastAPI provides for.
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]  # None is how Python marks a module as absent

# httpx imports its own command line wherever the libraries for it are installed. It provides for its absence, too.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # as above
