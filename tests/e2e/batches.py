# A server on stdio whose tool `once` writes down each of its calls, and may not be called twice; `safe` may, and takes as long as
# it is told to; `slow` takes a minute; `ask` asks its client for a name. Which calls were cancelled it writes down, too.
import json
import os
import sys
import threading
import time

lock = threading.Lock()
asked = {}


def say(message):
    with lock:
        print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def ask(message):
    question, told = f"q{message['id']}", threading.Event()
    asked[question] = told
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    say({"id": question, "method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": schema}})
    told.wait()
    say({"id": message["id"], "result": {"content": [], "structuredContent": {"said": told.answer}}})


def call(message):
    name, arguments = message["params"]["name"], message["params"].get("arguments", {})
    if name == "ask":
        return ask(message)
    if name == "once":
        with open(os.environ["LEDGER"], "a") as ledger:
            ledger.write(json.dumps(arguments, sort_keys=True) + "\n")
    time.sleep(60 if name == "slow" else arguments.get("ms", 20) / 1000)
    failed = bool(arguments.get("fail")) and not os.path.exists(os.environ["LEDGER"] + ".well")
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
            {"name": "ask", "inputSchema": schema},
            {"name": "safe", "inputSchema": schema, "annotations": {"readOnlyHint": True}},
        ]
        say({"id": message["id"], "result": {"tools": tools}})
    elif message.get("id") in asked:
        told = asked[message["id"]]
        told.answer = message.get("result", message.get("error"))
        told.set()
    elif method == "notifications/cancelled":
        with open(os.environ["LEDGER"] + ".cancelled", "a") as cancelled:
            cancelled.write(json.dumps(message["params"]) + "\n")
    elif method == "tools/call":
        threading.Thread(target=call, args=(message,), daemon=True).start()
    elif "id" in message:
        say({"id": message["id"], "error": {"code": -32601, "message": "no such method"}})
