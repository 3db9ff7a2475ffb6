"""What can be called: functions, jobs and commands.

Python looks for cyclic garbage after each 700 new objects. What is imported stays, and looking through it took 6 to 10 % of
the CPU time of importing the function predict (measured). From the first import on it looks less often; a process that
answers requests sets its own pace once a model is loaded (`api._lib.collector`).
"""

import gc

gc.set_threshold(50_000, 20, 50)
