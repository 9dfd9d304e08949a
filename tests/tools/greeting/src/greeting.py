from typing import Annotated, Literal, TypedDict


class Greeting(TypedDict):
    text: str
    language: str
    length: int


_HELLO = {"en": "Hello", "nl": "Hallo", "es": "¡Hola"}


def greet(
    name: Annotated[str, "Who is greeted"],
    language: Literal["en", "nl", "es"] = "en",
    exclamation_marks: int = 1,
) -> Greeting:
    """Greet somebody in a language."""
    text = f"{_HELLO[language]}, {name}{'!' * exclamation_marks}"
    return {"text": text, "language": language, "length": len(text)}
