import imaplib
import smtplib
import ssl
from email import message_from_bytes
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
        _, [count] = server.select("INBOX")
        server.append("INBOX", "", None, _message().as_bytes())
        _, [numbers] = server.search(None, "ALL")
        _, [(_, raw), _] = server.fetch(numbers.split()[-1], "(RFC822)")
    message = message_from_bytes(raw)
    attachment = message.get_payload()[1]
    return {
        "count": count.decode(),
        "numbers": numbers.decode(),
        "subject": message["Subject"],
        "attachment": [attachment.get_filename(), attachment.get_payload(decode=True) == bytes(range(256)) * 400],
    }
