"""What everything that is sent and answered as JSON is derived from."""

from pydantic import BaseModel, ConfigDict


class Schema(BaseModel):
    """A `BaseModel` whose validator is built with its first use: of the dozens that a function has, a request needs a few.

    One that is a field of another is built as a part of that other, and often never by itself.
    """

    model_config = ConfigDict(defer_build=True)


class Sent(Schema):
    """What a caller sends: a name that is not known is refused.

    Built at once. FastAPI hushes what pydantic has to say of a body's alias only while it makes the field itself.
    """

    model_config = ConfigDict(extra="forbid", defer_build=False)
