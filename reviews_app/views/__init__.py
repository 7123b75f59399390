"""Pages of the gate: parse the request, call one verb or one question, render."""
