import os

PLACE = os.environ["PLACE"]
