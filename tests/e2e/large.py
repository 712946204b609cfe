# A server on stdio whose tool `pad` answers with a text of so many bytes.
import json
import sys

for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if method == "initialize":
        information = {"name": "large", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": information}
    elif method == "tools/list":
        result = {"tools": [{"name": "pad", "inputSchema": {"type": "object"}}]}
    elif method == "tools/call":
        text = "x" * message["params"]["arguments"]["bytes"]
        result = {"content": [{"type": "text", "text": text}]}
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
