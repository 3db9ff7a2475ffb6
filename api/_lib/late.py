"""Routes that FastAPI reads when somebody needs them, not when their function is imported.

Reading the signature of one route and making the fields of its answers takes 2 to 3 ms of every cold start, and a function has
up to twenty routes of which the first request needs one.
"""

from collections.abc import Callable
from threading import RLock
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import Route

_reading = RLock()
"""One event loop cannot begin a second reading within the first, which never waits; servers may have a loop in each thread."""


class LateRoute(APIRoute):
    """An `APIRoute` that knows at first what finding it by its path needs, and its function.

    The rest comes with the first look at any of it: a request's at `app`, or that of whoever describes the API. A declaration
    that FastAPI refuses is refused then, each time again.
    """

    methods: set[str]

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._options = options
        self.is_read = False
        methods = options.get("methods") or ("GET",)
        shown = options.get("include_in_schema", True)
        Route.__init__(self, path, endpoint, methods=methods, name=options.get("name"), include_in_schema=shown)
        self.methods = {method.upper() for method in methods}  # as FastAPI has them: HEAD does not come with GET
        del self.app  # Starlette's way to call the function, without its arguments

    def __getattr__(self, name: str) -> Any:
        """Let FastAPI read the declaration: what is asked for is not there yet."""
        if not name.startswith("__"):  # copy and pickle ask empty objects for those
            self.read()
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def read(self) -> None:
        """Read the whole declaration, once."""
        with _reading:
            if self.is_read:
                return
            self.is_read = True
            try:
                super().__init__(self.path, self.endpoint, **self._options)
            except BaseException:
                self.is_read = False
                raise
