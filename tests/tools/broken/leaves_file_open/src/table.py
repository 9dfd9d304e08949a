import csv

file = open("/tool/src/table.csv", encoding="utf-8", newline="")
rows = csv.reader(file)
