"""Sends a mail, over a connection that STARTTLS has made private."""

import smtplib
import ssl
from email.message import EmailMessage
from typing import Annotated

from toolplane import Context, tool

SERVER = ("smtp.mail.example", 587)


@tool
def send(
    to: Annotated[list[str], "Addresses of the recipients"],
    subject: str,
    text: Annotated[str, "The mail, as plain text"],
    *,
    context: Context,
) -> dict[str, list[str]]:
    """Send a mail. Answers who has been sent it, and whom the server refused."""
    mail = message(context.env["SMTP_USER"], to, subject, text)
    with smtplib.SMTP(*SERVER, timeout=15) as server:
        server.starttls(context=ssl.create_default_context())
        server.login(context.env["SMTP_USER"], context.env["SMTP_PASSWORD"])
        refused = server.send_message(mail)
    return {"sent": [address for address in to if address not in refused], "refused": sorted(refused)}


@send.simulation
def _(to: list[str]) -> dict[str, list[str]]:
    """Nobody gets a mail of a simulation."""
    return {"sent": to, "refused": []}


def message(sender: str, to: list[str], subject: str, text: str) -> EmailMessage:
    """The mail. A line break in a header would be a header of the caller's own, and raises."""
    if not to:
        raise ValueError("a mail has a recipient at least")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(to), subject
    mail.set_content(text)
    return mail
