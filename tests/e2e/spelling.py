# A server on stdio whose tool `say` writes down what it is told, letter for letter, and answers with what Python itself would not
# write: numbers that no double is, and half a surrogate pair.
import json
import os
import sys

ODD = r'{"n":100000000000000000001,"far":1e400,"half":"a\ud83d","one":1.0}'

for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if method == "initialize":
        information = {"name": "spelling", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": information}
        result = json.dumps(result)
    elif method == "tools/list":
        result = '{"tools":[{"name":"say","inputSchema":{"type":"object"}}]}'
    elif method == "tools/call":
        with open(os.environ["LEDGER"], "a") as ledger:
            ledger.write(line)
        result = '{"content":[{"type":"text","text":"a\\ud83d"}],"structuredContent":' + ODD + "}"
    elif "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}}), flush=True)
        continue
    else:
        continue
    print('{"jsonrpc":"2.0","id":' + json.dumps(message["id"]) + ',"result":' + result + "}", flush=True)
