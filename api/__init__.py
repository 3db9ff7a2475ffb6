"""What can be called: functions, jobs and commands.

Python looks for cyclic garbage after each 700 new objects. Importing makes half a million that all stay, so that a tenth of a
cold start went into looking (measured). From the first import on it looks
less often; a process that answers requests sets its own pace once a model is loaded (`api._lib.collector`).
"""

import gc

gc.set_threshold(50_000, 20, 50)
