"""Batches and models of the Anthropic API, and the schemas of its answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NewType

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt

BatchId = NewType("BatchId", str)


@dataclass(frozen=True)
class RemoteBatch:
    """A batch as the API last reported it."""

    id: BatchId
    status: str  # in_progress, canceling, ended
    created_at: datetime
    expires_at: datetime
    requests: int
    counts: Mapping[str, int]  # processing, succeeded, errored, canceled, expired
    archived: bool  # True: its results are deleted
    retry_after: float | None = None  # seconds until the next poll, as the API asks


@dataclass(frozen=True)
class BatchListing:
    """The batches of a workspace, newest first."""

    batches: tuple[RemoteBatch, ...]
    listed_at: datetime | None = None  # by the API's clock; None: the answer has no date


@dataclass(frozen=True)
class RemoteModel:
    """A model and its abilities. A field is None where the API does not report it."""

    id: str
    lifecycle: str  # active, deprecated, retired
    retires_at: datetime | None
    max_input_tokens: int | None
    max_tokens: int | None
    batch: bool | None
    structured_outputs: bool | None


class ApiFields(BaseModel):
    """The fields of an answer that the program reads."""

    # The API may add fields at any time.
    model_config = ConfigDict(frozen=True, extra="ignore")


class BatchResponse(ApiFields):
    id: str
    processing_status: str
    created_at: AwareDatetime
    expires_at: AwareDatetime
    request_counts: dict[str, int]
    archived_at: AwareDatetime | None = None

    def to_remote_batch(self) -> RemoteBatch:
        return RemoteBatch(
            BatchId(self.id),
            self.processing_status,
            self.created_at.astimezone(UTC),
            self.expires_at.astimezone(UTC),
            sum(self.request_counts.values()),
            self.request_counts,
            self.archived_at is not None,
        )


class BatchPageResponse(ApiFields):
    data: tuple[BatchResponse, ...]
    has_more: bool = False


class MessageResponse(ApiFields):
    """An answer of the Messages API, as far as it proves that a message was made."""

    id: str
    type: str
    content: tuple[dict[str, object], ...]


class TokenCountResponse(ApiFields):
    input_tokens: NonNegativeInt


class CapabilityFields(ApiFields):
    supported: bool | None = None


class CapabilitiesFields(ApiFields):
    batch: CapabilityFields = CapabilityFields()
    structured_outputs: CapabilityFields = CapabilityFields()


class ModelResponse(ApiFields):
    id: str
    lifecycle: str = "active"
    retires_at: AwareDatetime | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    capabilities: CapabilitiesFields | None = None

    def to_remote_model(self) -> RemoteModel:
        capabilities = self.capabilities or CapabilitiesFields()
        return RemoteModel(
            self.id,
            self.lifecycle,
            self.retires_at,
            self.max_input_tokens,
            self.max_tokens,
            capabilities.batch.supported,
            capabilities.structured_outputs.supported,
        )
