import imaplib
import smtplib
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage


def _message() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "tool@example.test", "ada@example.test", "Grüße"
    message.set_content("Hello.\n.\nA line that begins with a dot came before this one.\n")
    message.add_attachment(bytes(range(256)) * 400, maintype="application", subtype="octet-stream", filename="all.bin")
    return message


def sends(port: int) -> dict:
    with smtplib.SMTP("mail.test", port, timeout=10) as server:
        server.ehlo()
        before = server.has_extn("starttls")
        server.starttls()
        server.login("tool", "secret")
        refused = server.send_message(_message())
    with smtplib.SMTP("mail.test", port, timeout=10) as server:
        server.starttls(context=ssl.create_default_context())
        try:
            server.login("tool", "wrong")
        except smtplib.SMTPAuthenticationError as error:
            wrong = error.smtp_code
    return {"starttls": before, "refused": refused, "wrong": wrong}


def reads(port: int) -> dict:
    with imaplib.IMAP4("mail.test", port, timeout=10) as server:
        server.starttls()
        server.login("tool", "secret")
        _, [before] = server.select("INBOX")
        server.append("INBOX", "", None, _message().as_bytes())
        _, [after] = server.select("INBOX")
        _, [numbers] = server.search(None, "ALL")
        _, [(_, raw), _] = server.fetch(numbers.split()[-1], "(RFC822)")
        _, [flags] = server.store(numbers, "+FLAGS", "\\Flagged")
    # At the end, since the server lets those wait who were wrong.
    with imaplib.IMAP4("mail.test", port, timeout=10) as server:
        server.starttls(ssl.create_default_context())
        try:
            server.login("tool", "wrong")
        except imaplib.IMAP4.error as error:
            wrong = error.args[0].decode()
    message = message_from_bytes(raw, policy=policy.default)
    attachment = next(message.iter_attachments())
    return {
        "counts": [before.decode(), after.decode()],
        "numbers": numbers.decode(),
        "subject": message["Subject"],
        "attachment": [attachment.get_filename(), attachment.get_content() == bytes(range(256)) * 400],
        "flagged": b"\\Flagged" in flags,
        "wrong": wrong,
    }
