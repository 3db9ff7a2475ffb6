"""How the work on a run, or on a batch, can end early.

JobError
├── RunRejected        it can never succeed: the run fails with this reason, once
├── RunPostponed       something around it failed: try again later, a few times
├── RunInterrupted     this worker has to stop: give the run back untouched
└── RunLost            cancelled, or taken up by another worker: write nothing more
"""


class JobError(Exception):
    """Root of this package's errors. The message is shown to the person who asked for the work."""


class RunRejected(JobError):
    """The run cannot succeed as it is; the message says what to change."""


class RunPostponed(JobError):
    """Storage, database or machine failed; the same run may succeed later."""


class RunInterrupted(JobError):
    """The worker was told to stop before the run ended."""


class RunLost(JobError):
    """The run is not this worker's any more."""
