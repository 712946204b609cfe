# A server on stdio that begins every call and never ends one, nor itself when it is asked to.
import json
import signal
import sys
import time

signal.signal(signal.SIGTERM, signal.SIG_IGN)


def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


for line in sys.stdin:
    message = json.loads(line)
    method, params = message.get("method"), message.get("params", {})
    if method == "initialize":
        information = {"name": "endless", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": information}
        say({"id": message["id"], "result": result})
    elif method == "tools/list":
        tool = {"name": "endless", "inputSchema": {"type": "object"}}
        say({"id": message["id"], "result": {"tools": [tool]}})
    elif method == "tools/call":
        progress = {"progressToken": params["_meta"]["progressToken"], "progress": 1}
        say({"method": "notifications/progress", "params": progress})
    elif "id" in message:
        say({"id": message["id"], "error": {"code": -32601, "message": "no such method"}})
time.sleep(60)
