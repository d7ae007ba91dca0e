"""What can go wrong when numbers are asked for, as one small tree of errors."""


class ApiError(Exception):
    """A question was not answered.

    `status` is that of HTTP, None where no answer came; `title` says what happened in a few words,
    `detail` to what, and what to do.
    """

    def __init__(self, detail: str, *, status: int | None = None, title: str = "") -> None:
        super().__init__(f"{title}: {detail}" if title else detail)
        self.detail, self.status, self.title = detail, status, title


class NotLetIn(ApiError):
    """Nobody, or the wrong one, asks (401, 403): sign in again, or ask for the right."""


class NotFound(ApiError):
    """There is no such thing (404)."""


class WrongQuestion(ApiError, ValueError):
    """The question cannot be answered as it is put (other 4xx); the detail says what can."""


class Busy(ApiError):
    """Too many ask, or a table is busy (429, 503), also after several attempts."""


class NoAnswer(ApiError):
    """Nothing answered, or something that is not the API."""


def of_status(status: int, title: str, detail: str) -> ApiError:
    """The error that a status of HTTP stands for."""
    kind = ApiError
    if status in (401, 403):
        kind = NotLetIn
    elif status == 404:
        kind = NotFound
    elif status in (429, 502, 503, 504):
        kind = Busy
    elif 400 <= status < 500:
        kind = WrongQuestion
    return kind(detail, status=status, title=title)
