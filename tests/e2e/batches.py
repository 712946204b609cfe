# A server on stdio whose tool `once` writes down each of its calls, and may not be called twice; `safe` may; `slow` takes a minute.
import json
import os
import sys
import threading
import time

lock = threading.Lock()


def say(message):
    with lock:
        print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def call(message):
    name, arguments = message["params"]["name"], message["params"].get("arguments", {})
    if name == "once":
        with open(os.environ["LEDGER"], "a") as ledger:
            ledger.write(json.dumps(arguments, sort_keys=True) + "\n")
    time.sleep(60 if name == "slow" else 0.02)
    failed = arguments.get("fail") is True and not os.path.exists(os.environ["LEDGER"] + ".well")
    result = {"content": [{"type": "text", "text": "it"}], "structuredContent": {"said": arguments}, "isError": failed}
    say({"id": message["id"], "result": result})


for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if method == "initialize":
        information = {"name": "batches", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": information}
        say({"id": message["id"], "result": result})
    elif method == "tools/list":
        schema = {"type": "object"}
        tools = [
            {"name": "once", "inputSchema": schema},
            {"name": "slow", "inputSchema": schema},
            {"name": "safe", "inputSchema": schema, "annotations": {"readOnlyHint": True}},
        ]
        say({"id": message["id"], "result": {"tools": tools}})
    elif method == "tools/call":
        threading.Thread(target=call, args=(message,), daemon=True).start()
    elif "id" in message:
        say({"id": message["id"], "error": {"code": -32601, "message": "no such method"}})
