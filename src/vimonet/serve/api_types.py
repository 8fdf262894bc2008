"""Define what requests hold, for validation and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from vimonet.motion.skeleton import JOINT_NAMES

LONGEST_NAME = 200
LONGEST_TEXT = 20_000
_Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


class _Part(BaseModel):
    """Ignore what other servers would read; a lone surrogate is no text."""

    model_config = ConfigDict(extra="ignore")

    @field_validator("*", mode="after")
    @classmethod
    def _encodable(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("the text is not valid Unicode") from None
        return value


class ReadingOptions(_Part):
    """Say how a recording is read, where its file does not."""

    fps: Annotated[float, Field(ge=0.1, le=10_000, allow_inf_nan=False)] | None = None
    """Frames per second of the source."""
    up: Literal["x", "y", "z", "-x", "-y", "-z"] | None = None
    """Axis that points up."""
    unit: Annotated[str, Field(max_length=20)] | None = None
    """m, cm, mm, inch, ft, or metres per unit."""
    format: Annotated[str, Field(max_length=40)] | None = None
    """Format or layout of the recording, as in `vimonet ask --format`."""
    person: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Person to read, of several."""
    size: Annotated[str, Field(max_length=20, pattern=r"^\d+(\.\d+)?x\d+(\.\d+)?$")] | None = None
    """Size of the picture, WIDTHxHEIGHT, if coordinates are fractions of it."""
    joint_map: dict[_Name, _Name] | None = None
    """{joint of the 22: joint name in the file}, for joints of unknown names."""

    @field_validator("joint_map")
    @classmethod
    def _known_joints(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        if value is not None and not set(value) <= set(JOINT_NAMES):
            raise ValueError(f"its keys are joints: {', '.join(JOINT_NAMES)}")
        return value

    def options(self) -> dict[str, Any]:
        """Return what is given, as arguments of `vimonet.motion.load`."""
        return {name: value for name in ReadingOptions.model_fields if (value := getattr(self, name)) is not None}


class Source(ReadingOptions):
    """Hold a recording or picture: a data URL or base64, or the id of an upload; addresses are never opened."""

    url: str | None = None
    """``data:...;base64,...`` or an id of /v1/files."""
    data: str | None = None
    """Base64."""
    file_id: _Name | None = None
    """Id of /v1/files."""
    file_data: str | None = None
    """Data URL or base64, as OpenAI's file parts name it."""
    name: _Name | None = None
    """File name, whose suffix helps to tell the format."""
    filename: _Name | None = None
    """The same, as OpenAI's file parts name it."""


def _source(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class TextPart(_Part):
    """Hold a text."""

    type: Literal["text"]
    text: Text


class MotionPart(_Part):
    """Hold a recording by its data URL or file id."""

    type: Literal["motion_url"]
    motion_url: Source
    _short = field_validator("motion_url", mode="before")(_source)


class InputMotionPart(_Part):
    """Hold a recording as base64, as OpenAI's ``input_audio`` holds sound."""

    type: Literal["input_motion"]
    input_motion: Source
    _short = field_validator("input_motion", mode="before")(_source)


class VideoPart(_Part):
    """Hold a video."""

    type: Literal["video_url"]
    video_url: Source
    _short = field_validator("video_url", mode="before")(_source)


class ImagePart(_Part):
    """Hold a picture."""

    type: Literal["image_url"]
    image_url: Source
    _short = field_validator("image_url", mode="before")(_source)


class FilePart(_Part):
    """Hold a recording or a video, as OpenAI's ``file`` part does."""

    type: Literal["file"]
    file: Source


Part = Annotated[
    TextPart | MotionPart | InputMotionPart | VideoPart | ImagePart | FilePart, Field(discriminator="type")
]


class Message(_Part):
    """Hold one message of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[Part] | None = None


class StreamOptions(_Part):
    """Say what a stream holds."""

    include_usage: bool = False
    """End the stream with the token counts."""


class AnswerOptions(_Part):
    """Say how questions are answered."""

    answer_policy: Literal["calibrated", "raw"] | None = None
    """calibrated: a clear measurement decides; raw: the model's own words."""


class ChatRequest(AnswerOptions):
    """Ask a question about recordings, as OpenAI's chat completions do."""

    model: _Name
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    stop: str | list[str] | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    logprobs: bool | None = None
    response_format: dict[str, Any] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    """Read and not used: answers are the likeliest words, the same every time."""


class MotionRequest(ReadingOptions):
    """Send one recording; the same fields may come as a form with the file as ``file``."""

    motion: Source
    _short = field_validator("motion", mode="before")(_source)


class SearchRequest(_Part):
    """Search the index by a sentence."""

    query: Annotated[str, Field(min_length=1, max_length=2000)]
    k: Annotated[int, Field(ge=1)] = 10
