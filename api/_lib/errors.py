"""What a caller can be told went wrong, as exceptions; `problems` writes them down.

ApiError
├── RequestMalformed      400  request_malformed       the bytes cannot be read
├── NotSignedIn           401  not_signed_in           the request names no one
├── CredentialRejected    401  credential_rejected     the token or key is wrong, expired or revoked
├── SignatureRejected     401  signature_rejected      a webhook is not signed, wrongly signed or stale
├── NotAllowed            403  not_allowed             known caller, not theirs to do
├── NotFound              404  not_found               no such path, or nothing there for this caller
│   ├── ModelNotFound          model_not_found
│   └── VersionNotFound        version_not_found
├── MethodNotAllowed      405  method_not_allowed
├── Conflict              409  conflict                it clashes with what is there
├── BodyTooLarge          413  body_too_large
├── MediaTypeUnsupported  415  media_type_unsupported
├── RequestInvalid        422  request_invalid         readable, but fields are wrong
│   └── RowsInvalid            rows_invalid            rows do not fit the model
├── DeliveryChanged       422  delivery_changed        another payload under an id that was used before
├── IdempotencyKeyReused  422  idempotency_key_reused  the key belongs to another request
├── TooManyRequests       429  too_many_requests       the caller's quota is used up for now
├── Unexpected            500  unexpected              our fault; details are in the log only
└── Unavailable           503  unavailable             something that is needed does not answer

`code` is the promise to clients: classes may be renamed, codes may not.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

MAX_FIELD_ERRORS = 100


class ApiError(Exception):
    """Something a caller is told. Subclasses fix the status and the code."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "unexpected"
    type = "about:blank"
    extra: Mapping[str, object] = {}
    """Further members of the problem body, as its type defines them."""

    def __init__(
        self, detail: str, *, errors: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors[:MAX_FIELD_ERRORS]
        self.headers = headers


class RequestMalformed(ApiError):
    """The bytes cannot be read as what they claim to be."""

    status, code = HTTPStatus.BAD_REQUEST, "request_malformed"


class NotSignedIn(ApiError):
    """The request names no one, and this needs someone."""

    status, code = HTTPStatus.UNAUTHORIZED, "not_signed_in"

    def __init__(self, detail: str = "Sign in: send 'Authorization: Bearer <access token>'") -> None:
        super().__init__(detail, headers={"www-authenticate": "Bearer"})


class CredentialRejected(ApiError):
    """A token or key was sent and is not good."""

    status, code = HTTPStatus.UNAUTHORIZED, "credential_rejected"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"www-authenticate": 'Bearer error="invalid_token"'})


class SignatureRejected(ApiError):
    """A webhook is not signed, wrongly signed or stale."""

    status, code = HTTPStatus.UNAUTHORIZED, "signature_rejected"


class NotAllowed(ApiError):
    """The caller is known, and this is not theirs to do."""

    status, code = HTTPStatus.FORBIDDEN, "not_allowed"


class NotFound(ApiError):
    """Nothing there, or nothing that this caller may see."""

    status, code = HTTPStatus.NOT_FOUND, "not_found"


class ModelNotFound(NotFound):
    """No model of that name that this caller may see."""

    code = "model_not_found"

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is no model {slug!r} that you may use")


class VersionNotFound(NotFound):
    """The model is there; the alias or number is not."""

    code = "version_not_found"

    def __init__(self, slug: str, reference: str) -> None:
        super().__init__(f"Model {slug!r} has no version {reference!r}")


class MethodNotAllowed(ApiError):
    """The path is there, for other methods."""

    status, code = HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"


class NotAcceptable(ApiError):
    """The answer does not exist in the form that the caller accepts."""

    status, code = HTTPStatus.NOT_ACCEPTABLE, "not_acceptable"


class Conflict(ApiError):
    """The request clashes with what is there."""

    status, code = HTTPStatus.CONFLICT, "conflict"


class BodyTooLarge(ApiError):
    """The body is above what a function may receive."""

    status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large"


class MediaTypeUnsupported(ApiError):
    """The content type is none that this path reads."""

    status, code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media_type_unsupported"


class RequestInvalid(ApiError):
    """Readable, but one or more fields are wrong."""

    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "request_invalid"


class RowsInvalid(RequestInvalid):
    """One or more rows do not fit the model."""

    code = "rows_invalid"


class DeliveryChanged(ApiError):
    """A webhook under an id that came before with another payload."""

    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "delivery_changed"

    def __init__(self, delivery_id: str) -> None:
        super().__init__(f"The delivery {delivery_id} came before with another payload; a new message needs a new id")


class IdempotencyKeyReused(ApiError):
    """An Idempotency-Key that was used for another request."""

    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request; take a new one")


class TooManyRequests(ApiError):
    """The caller's quota is used up for now."""

    status, code = HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests"
    type = "https://iana.org/assignments/http-problem-types#quota-exceeded"

    def __init__(self, detail: str, *, policy: str, retry_after: int) -> None:
        super().__init__(detail, headers={"retry-after": str(retry_after)})
        self.extra = {"violated-policies": [policy]}


class Unexpected(ApiError):
    """Our fault. What happened is in the log, under the request id."""

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side; the log has it under this answer's x-request-id")


class Unavailable(ApiError):
    """Something that is needed does not answer."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"retry-after": "2"})
