import os

KEY = os.getenv("API_KEY")


def ask(question: str) -> str:
    """Ask a service."""
    return f"{question} {KEY}"
