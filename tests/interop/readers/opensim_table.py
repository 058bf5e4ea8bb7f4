"""Run by OpenSim's Python: read a TRC as OpenSim does, write and read it as STO, and store what it holds as JSON."""

import json
import sys
from pathlib import Path

import opensim


def numbers(table) -> dict:
    rows = [table.getRowAtIndex(n) for n in range(table.getNumRows())]
    return {
        "labels": list(table.getColumnLabels()),
        "time": list(table.getIndependentColumn()),
        "joints": [[[row[j].get(k) for k in range(3)] for j in range(table.getNumColumns())] for row in rows],
    }


source, target = sys.argv[1:]
table = opensim.TimeSeriesTableVec3(source)
sto = str(Path(target).with_suffix(".sto"))
opensim.STOFileAdapterVec3.write(table, sto)
markers = opensim.MarkerData(source)
found = {
    "table": numbers(table),
    "sto": numbers(opensim.TimeSeriesTableVec3(sto)),
    "units": table.getTableMetaDataString("Units"),
    "rate": markers.getDataRate(),
    "frames": markers.getNumFrames(),
    "markers": markers.getNumMarkers(),
}
Path(target).write_text(json.dumps(found))
