"""How plans and findings are shown: text, Markdown, SARIF. Pure: values in, text out."""
