"""The parts of the Anthropic API's answers that the program reads."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple, NewType

from pydantic import (
    AliasPath,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    TypeAdapter,
    ValidationError,
)

BatchId = NewType("BatchId", str)
BATCH_LIFETIME = timedelta(hours=24)  # as of 2026-11; then a batch expires
TIME = TypeAdapter(datetime)


def parse_time(value: object) -> datetime | None:
    """A time of the API in UTC, which is also the zone of a time without one. None: unreadable."""
    try:
        time = TIME.validate_python(value)
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except (ValidationError, OverflowError):
        return None


def parse_counts(value: object) -> dict[str, int] | None:
    """The requests of a batch by state. None: they cannot be used."""
    if not isinstance(value, dict) or not value:
        return None
    counts: dict[str, int] = {}
    for state, number in value.items():
        if type(number) is not int or number < 0:
            return None
        counts[str(state)] = number
    return counts if sum(counts.values()) else None


ApiTime = Annotated[datetime | None, BeforeValidator(parse_time)]
ApiWord = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")]
ApiCounts = Annotated[dict[str, int] | None, BeforeValidator(parse_counts)]


class ApiFields(BaseModel):
    # The API may add fields at any time.
    model_config = ConfigDict(frozen=True, extra="ignore")


class RemoteBatch(ApiFields):
    """A batch as the API last reported it. Only the id is needed: a batch that was created is paid
    for, however the rest of the answer looks."""

    id: BatchId = Field(min_length=1)
    # in_progress, canceling, ended
    status: ApiWord = Field("", validation_alias="processing_status")
    created_at: ApiTime = None
    expires_at: ApiTime = None
    ended_at: ApiTime = None
    archived_at: ApiTime = None  # when its results were deleted
    # processing, succeeded, errored, canceled, expired; None: they cannot be used
    counts: ApiCounts = Field(None, validation_alias="request_counts")
    # Seconds until the next poll, from the answer's headers.
    retry_after: Annotated[float | None, BeforeValidator(lambda _: None)] = None

    @property
    def requests(self) -> int | None:
        return sum(self.counts.values()) if self.counts else None


class BatchPage(ApiFields):
    data: tuple[RemoteBatch, ...]
    has_more: bool = False


class BatchListing(NamedTuple):
    """The batches of a workspace, newest first."""

    batches: tuple[RemoteBatch, ...]
    listed_at: datetime | None = None  # by the API's clock; None: the answer has no date


class MessageResponse(ApiFields):
    """An answer of the Messages API, as far as it proves that a message was made."""

    id: str
    type: str
    content: tuple[dict[str, object], ...]


class TokenCountResponse(ApiFields):
    input_tokens: NonNegativeInt


def _capability(name: str) -> AliasPath:
    return AliasPath("capabilities", name, "supported")


class RemoteModel(ApiFields):
    """A model and its abilities. A field is None where the API does not report it."""

    id: str
    lifecycle: str = "active"  # or deprecated, retired
    retires_at: AwareDatetime | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    batch: bool | None = Field(None, validation_alias=_capability("batch"))
    structured_outputs: bool | None = Field(
        None, validation_alias=_capability("structured_outputs")
    )
