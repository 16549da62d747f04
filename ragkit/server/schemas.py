"""The shapes of requests and replies, as JSON Schema: what is checked is what is documented."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

# Longer than any question, and short enough to be looked for.
MAX_QUERY_CHARACTERS = 100_000
MAX_INPUTS = 2_048  # of one request for embeddings, as OpenAI's


def obj(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Return the schema of an object; further fields are allowed, as clients send their own."""
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema


def array(items: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": items, **bounds}


def or_null(schema: Schema) -> Schema:
    """Return a schema that takes null too: clients send it for what they don't set."""
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None], "type": [schema["type"], "null"]}
    return {**schema, "type": [schema["type"], "null"]}


def text(**more: Any) -> Schema:
    return {"type": "string", **more}


def number(low: float, high: float) -> Schema:
    return {"type": "number", "minimum": low, "maximum": high}


def integer(low: int, high: int = 2**31 - 1) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def choice(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


STRING = text()
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
ANY_OBJECT: Schema = {"type": "object"}

# --- what is sent --------------------------------------------------------------------------------

_NAMES = array(text(maxLength=4_096), maxItems=100)
FILTERS = obj(paths=or_null(_NAMES), media_types=or_null(_NAMES), collections=or_null(_NAMES))

_PART = obj(("type",), type=STRING, text=or_null(STRING))
MESSAGE = obj(
    ("role",),
    role=choice("system", "developer", "user", "assistant", "tool", "function"),
    content={
        "type": ["string", "array", "null"],
        "items": _PART,
        "description": "Text, or a list of parts; ragkit reads those of the type text.",
    },
)

WEB_SEARCH_OPTIONS = obj(
    mode=or_null(choice("auto", "never", "always")),
    search_context_size=or_null(choice("low", "medium", "high")),
    user_location=or_null(
        obj(
            type=or_null(STRING),
            approximate=or_null(obj(country=or_null(text(maxLength=64)))),
        )
    ),
    safesearch=or_null(text(maxLength=64)),
    accept_language=or_null(text(maxLength=256)),
)

RAGKIT_OPTIONS = obj(
    filters=or_null(FILTERS),
    limit=or_null(integer(1, 1_000)),
    conversation=or_null(
        text(maxLength=64, description='"new", or the id of a conversation to go on with.')
    ),
    events=or_null({**FLAG, "description": "Whether chunks of a stream tell of each step."}),
    sources=or_null({**FLAG, "description": "Whether the text ends with a list of its sources."}),
)

CHAT_REQUEST = obj(
    ("model", "messages"),
    model=text(minLength=1, maxLength=1_024),
    messages=array(MESSAGE, minItems=1, maxItems=10_000),
    stream=or_null(FLAG),
    stream_options=or_null(obj(include_usage=or_null(FLAG))),
    max_tokens=or_null(integer(1)),
    max_completion_tokens=or_null(integer(1)),
    temperature=or_null(number(0, 2)),
    n=or_null(integer(1, 1)),
    web_search=or_null(FLAG),
    web_search_options=or_null(WEB_SEARCH_OPTIONS),
    ragkit=or_null(RAGKIT_OPTIONS),
)

EMBEDDINGS_REQUEST = obj(
    ("model", "input"),
    model=text(minLength=1, maxLength=1_024),
    input={
        "oneOf": [text(minLength=1), array(text(minLength=1), minItems=1, maxItems=MAX_INPUTS)],
        "description": "One text or a list of texts; token ids are not read.",
    },
    encoding_format=or_null(choice("float", "base64")),
    dimensions=or_null(integer(1, 65_536)),
)

SEARCH_REQUEST = obj(
    ("query",),
    query=text(minLength=1, maxLength=MAX_QUERY_CHARACTERS),
    limit=or_null(integer(1, 1_000)),
    mode=or_null(choice("hybrid", "semantic", "lexical")),
    filters=or_null(FILTERS),
    per_document=or_null(integer(0, 1_000)),
    exact=or_null(FLAG),
)

VERIFY_REQUEST = {
    **obj(("citations",), question=STRING, text=STRING, citations=array(ANY_OBJECT)),
    "description": "An answer as ragkit gave it.",
}

# --- what is answered ----------------------------------------------------------------------------

SPAN = obj(("start", "end"), start=COUNT, end=COUNT)
ERROR = obj(
    ("error",),
    error=obj(
        ("message", "type", "param", "code"),
        message=STRING,
        type=STRING,
        param=or_null(STRING),
        code=or_null(STRING),
        hint=STRING,
    ),
)
MODEL = obj(
    ("id", "object", "created", "owned_by"),
    id=STRING,
    object=STRING,
    created=COUNT,
    owned_by=STRING,
    context_window=COUNT,
    capabilities=array(STRING),
    max_output_tokens=COUNT,
)
HIT = obj(
    ("chunk_id", "document_id", "uri", "title", "span", "text", "score"),
    chunk_id=STRING,
    document_id=STRING,
    uri=STRING,
    title=STRING,
    collection=STRING,
    heading_path=array(STRING),
    page=or_null(COUNT),
    lines=or_null(SPAN),
    span=SPAN,
    text=STRING,
    score=NUMBER,
    ranks=ANY_OBJECT,
    scores=ANY_OBJECT,
    also_in=array(STRING),
)
CITATION = obj(
    ("marker", "uri", "title", "span", "quote", "document_hash", "document_id"),
    marker=COUNT,
    uri=STRING,
    title=STRING,
    heading_path=array(STRING),
    page=or_null(COUNT),
    lines=or_null(SPAN),
    span=SPAN,
    quote=STRING,
    document_hash=STRING,
    document_id=STRING,
)
ANSWER = obj(
    ("question", "state", "text", "citations", "web_sources", "hits", "removed"),
    question=STRING,
    standalone=STRING,
    state=choice("grounded", "partial", "not_found", "web"),
    text=STRING,
    citations=array(CITATION),
    web_text=STRING,
    web_sources=array(obj(("url", "title"), url=STRING, title=STRING)),
    hits=array(HIT),
    removed=array(obj(("text", "reason"), text=STRING, reason=STRING)),
    gate=ANY_OBJECT,
    model=STRING,
    usage=ANY_OBJECT,
    notices=array(STRING),
    conversation=STRING,
    turn=COUNT,
)
COMPLETION = obj(
    ("id", "object", "created", "model", "choices"),
    id=STRING,
    object=STRING,
    created=COUNT,
    model=STRING,
    choices=array(
        obj(
            index=COUNT,
            finish_reason=or_null(STRING),
            message=obj(role=STRING, content=or_null(STRING), annotations=array(ANY_OBJECT)),
        )
    ),
    usage=ANY_OBJECT,
    ragkit=ANSWER,
)
EMBEDDINGS = obj(
    ("object", "data", "model", "usage"),
    object=STRING,
    data=array(
        obj(
            ("object", "index", "embedding"),
            object=STRING,
            index=COUNT,
            embedding={"type": ["array", "string"], "items": NUMBER},
        )
    ),
    model=STRING,
    usage=obj(prompt_tokens=COUNT, total_tokens=COUNT),
)
SEARCH = obj(
    ("object", "query", "hits"),
    object=STRING,
    query=STRING,
    hits=array(HIT),
    steps=array(ANY_OBJECT),
    notices=array(STRING),
)
DOCUMENT_INFO = obj(
    ("object", "id", "uri", "title", "media_type", "collection", "characters", "chunks"),
    object=STRING,
    id=STRING,
    uri=STRING,
    title=STRING,
    media_type=STRING,
    content_hash=STRING,
    collection=STRING,
    characters=COUNT,
    chunks=COUNT,
    updated_at=STRING,
)
DOCUMENT = obj(
    ("object", "id", "uri", "title", "text", "chunks", "has_original"),
    object=STRING,
    id=STRING,
    uri=STRING,
    title=STRING,
    media_type=STRING,
    content_hash=STRING,
    collection=STRING,
    metadata=ANY_OBJECT,
    text=STRING,
    pages=array(ANY_OBJECT),
    headings=array(ANY_OBJECT),
    blocks=array(ANY_OBJECT),
    chunks=array(
        obj(
            id=STRING,
            span=SPAN,
            lines=or_null(SPAN),
            page=or_null(COUNT),
            heading_path=array(STRING),
        )
    ),
    has_original=FLAG,
)
DELETED = obj(("id", "object", "deleted"), id=STRING, object=STRING, deleted=FLAG, uri=STRING)
UPLOAD = obj(
    ("object", "id", "filename", "bytes", "state"),
    object=STRING,
    id=STRING,
    filename=STRING,
    uri=STRING,
    bytes=COUNT,
    sha256=STRING,
    collection=STRING,
    state=choice("queued", "running", "done", "skipped", "failed"),
    result=or_null(STRING),
    document_id=or_null(STRING),
    chunks=COUNT,
    chunks_embedded=COUNT,
    message=text(description="What it waits for, where it does."),
    error=or_null(obj(code=STRING, message=STRING)),
    created_at=STRING,
    updated_at=STRING,
)
CONVERSATION_INFO = obj(
    ("id", "title", "turns"),
    id=STRING,
    title=STRING,
    created_at=STRING,
    updated_at=STRING,
    turns=COUNT,
)
CONVERSATION = obj(
    ("id", "title", "turns"),
    id=STRING,
    title=STRING,
    created_at=STRING,
    updated_at=STRING,
    turns=array(obj(question=STRING, standalone=STRING, answer=ANY_OBJECT, asked_at=STRING)),
)
INDEX = obj(
    ("object", "name", "documents", "chunks", "scopes"),
    object=STRING,
    name=STRING,
    documents=COUNT,
    chunks=COUNT,
    collections=array(STRING),
    media_types=array(STRING),
    presets=array(STRING),
    embedder=STRING,
    destination=STRING,
    chat_model=or_null(STRING),
    web=STRING,
    has_web_search=FLAG,
    keeps_conversations=FLAG,
    max_upload_bytes=COUNT,
    scopes=array(STRING),
)


def listed(items: Schema, **more: Schema) -> Schema:
    """Return the schema of OpenAI's envelope for a list."""
    return obj(("object", "data"), object=STRING, data=array(items), **more)
