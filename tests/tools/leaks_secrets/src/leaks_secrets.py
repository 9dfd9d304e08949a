import base64
import json
import logging
from urllib.parse import quote, quote_plus

from toolplane import Context


def leak(form: str, *, context: Context) -> str:
    """Write the password down, in the output, in the log, and in an exception."""
    password = context.env["PASSWORD"]
    half = len(password) // 2
    match form:
        case "lines":
            print(password[:half])
            print(password[half:])
            logging.warning(password[:half])
            logging.warning(password[half:])
            context.log.info(password[:half])
            context.log.info(password[half:])
            return "logged"
        case "dump":
            text = json.dumps({"password": password})
        case "repr":
            text = repr({"password": password})
        case "header":
            text = base64.b64encode(f"user:{password}".encode()).decode()
        case "token":
            text = base64.urlsafe_b64encode(f"ab{password}@host".encode()).decode()
        case "url":
            text = f"https://user:{quote(password)}@host/?password={quote_plus(password)}&again={quote(password, safe='')}"
        case "digits":
            text = password.encode().hex() + " " + password.encode().hex().upper()
        case "backwards":
            text = password[::-1]
    print(text)
    if form == "header":
        raise ValueError(text)
    return text
