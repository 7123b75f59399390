"""Pages: parse the request, call one verb or one question, render. No rule of the product lives here."""
