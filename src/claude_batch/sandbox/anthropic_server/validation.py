"""Checks of message params that the real API makes, in its order."""

from collections.abc import Callable, Iterator, Mapping

from claude_batch.sandbox.anthropic_server.models import CATALOGUE, CatalogueModel

SAMPLING_GONE = "2026-10-21"  # anthropic-version from which sampling parameters are refused

KNOWN = {
    *("model", "max_tokens", "messages", "system", "metadata", "stop_sequences", "stream"),
    *("temperature", "top_k", "top_p", "thinking", "tools", "tool_choice", "service_tier"),
    *("cache_control", "container", "diagnostics", "inference_geo", "output_config", "speed"),
}

NOT_IN_BATCHES = {
    *("speed", "store", "previous_thread_event_id", "cache_hint", "context_hint", "fallbacks"),
}

EFFORTS = ("low", "medium", "high", "xhigh", "max")
BREAKPOINTS = 4

NOT_IN_SCHEMAS = {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "maxItems", "uniqueItems"),
}

Params = Mapping[str, object]
ParamsError = tuple[str, str]  # kind, message


def find_params_error(params: object, version: str, *, batch: bool) -> ParamsError | None:
    """Return the first error of params, None if they are valid.

    `version` is the request's anthropic-version.
    """
    if not isinstance(params, dict):
        return _invalid("params: Input should be a valid dictionary")
    name = params.get("model")
    if not isinstance(name, str):
        return _invalid("model: Field required")
    model = CATALOGUE.get(name)
    if model is None:
        return "not_found_error", f"model: {name}"
    checks: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _keys(params, version, batch),
        lambda: _length(params, model),
        lambda: _messages(params, model),
        lambda: _tools(params, model),
        lambda: _output(params),
        lambda: _caching(params),
    )
    return next((_invalid(said) for check in checks for said in check()), None)


def _invalid(said: str) -> ParamsError:
    return "invalid_request_error", said


def _keys(params: Params, version: str, batch: bool) -> Iterator[str]:
    for key in params:
        if batch and key in NOT_IN_BATCHES:
            yield f"{key}: not supported in a message batch"
        elif key not in KNOWN:
            yield f"{key}: Extra inputs are not permitted"
        elif key in ("temperature", "top_p", "top_k") and version >= SAMPLING_GONE:
            yield f"{key}: not supported since anthropic-version {SAMPLING_GONE}"
    if params.get("stream"):
        yield "stream: streaming is not supported in a message batch"


def _length(params: Params, model: CatalogueModel) -> Iterator[str]:
    asked = params.get("max_tokens")
    if asked is None:
        yield "max_tokens: Field required"
    elif type(asked) is not int:
        yield "max_tokens: Input should be a valid integer"
    elif asked < 1:
        yield "max_tokens: Input should be greater than or equal to 1"
    elif asked > model.max_tokens:
        yield (
            f"max_tokens: {asked} > {model.max_tokens}, which is the maximum allowed number of "
            f"output tokens for {model.id}"
        )


def _messages(params: Params, model: CatalogueModel) -> Iterator[str]:
    messages = params.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "messages: at least one message is required"
        return
    for at, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("user", "assistant"):
            yield f"messages.{at}.role: Input should be 'user' or 'assistant'"
        elif any(not _text(block).strip() for block in _texts(message.get("content"))):
            yield f"messages.{at}: text content blocks must be non-empty"
    if messages[-1].get("role") == "assistant" and not model.prefill:
        yield "This model does not support assistant message prefill."
    if isinstance(params.get("system"), list):
        yield from (
            f"system.{at}.text: text content blocks must be non-empty"
            for at, block in enumerate(_texts(params["system"]))
            if not _text(block).strip()
        )


def _tools(params: Params, model: CatalogueModel) -> Iterator[str]:
    choice, thinking = params.get("tool_choice"), params.get("thinking")
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool"):
        if not model.forced_tools:
            yield f"tool_choice: forced tool use is not supported by {model.id}"
        elif not params.get("tools"):
            yield "tool_choice: may only be specified with tools"
    if model.always_thinks and isinstance(thinking, dict) and thinking.get("type") == "disabled":
        yield f"thinking: cannot be disabled for {model.id}"


def _output(params: Params) -> Iterator[str]:
    config = params.get("output_config")
    if config is None:
        return
    if not isinstance(config, dict):
        yield "output_config: Input should be a valid dictionary"
        return
    for key in config.keys() - {"effort", "format", "task_budget"}:
        yield f"output_config.{key}: Extra inputs are not permitted"
    if config.get("effort") not in (None, *EFFORTS):
        yield f"output_config.effort: Input should be one of {', '.join(EFFORTS)}"
    shape = config.get("format")
    if shape is None:
        return
    if not isinstance(shape, dict) or shape.get("type") != "json_schema":
        yield "output_config.format.type: Input should be 'json_schema'"
    else:
        yield from _schema(shape.get("schema"), "output_config.format.schema")


def _schema(schema: object, where: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"{where}: Input should be a valid dictionary"
        return
    for key in sorted(schema.keys() & NOT_IN_SCHEMAS):
        yield f"{where}: the keyword '{key}' is not supported"
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield f"{where}: 'additionalProperties' must be false"
    fields = schema.get("properties")
    for name, field in fields.items() if isinstance(fields, dict) else ():
        yield from _schema(field, f"{where}.properties.{name}")
    if "items" in schema:
        yield from _schema(schema["items"], f"{where}.items")


def _caching(params: Params) -> Iterator[str]:
    lives = [block["cache_control"].get("ttl", "5m") for block in breakpoints(params)]
    if any(life not in ("5m", "1h") for life in lives):
        yield "cache_control.ttl: Input should be '5m' or '1h'"
    if len(lives) > BREAKPOINTS:
        yield f"a maximum of {BREAKPOINTS} blocks with cache_control may be provided"
    if "5m" in lives and "1h" in lives[lives.index("5m") :]:
        yield "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"


def breakpoints(params: Params) -> Iterator[dict[str, dict[str, str]]]:
    """Yield the blocks with cache_control, in the order of the prefix."""
    for block in prefix_blocks(params):
        if isinstance(block, dict) and isinstance(block.get("cache_control"), dict):
            yield block


def prefix_blocks(params: Params) -> Iterator[object]:
    """Yield the blocks of the prefix in order: tools, system, messages."""
    tools = params.get("tools")
    yield from tools if isinstance(tools, list) else ()
    yield from _texts(params.get("system"))
    messages = params.get("messages")
    for message in messages if isinstance(messages, list) else ():
        yield from _texts(message.get("content") if isinstance(message, dict) else None)


def _texts(content: object) -> Iterator[object]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from content


def _text(block: object) -> str:
    """A block's text; another kind of block counts as not empty."""
    if not isinstance(block, dict) or block.get("type", "text") != "text":
        return "-"
    return str(block.get("text", ""))
