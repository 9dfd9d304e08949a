import json

import yaml


def load(text: str) -> str:
    return json.dumps(yaml.safe_load(text))
