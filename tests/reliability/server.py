"""A server that does what it is asked to: answers, streams, ends, floods, says nothing. JOURNAL names a file for what it did."""
import json, os, sys, time

tree = os.environ.get("TREE")
# What it does that is bad is in a file, so that a server can turn bad between two starts.
bad = open(os.environ["BAD"]).read() if os.path.exists(os.environ.get("BAD", "")) else ""
if bad == "ends":
    sys.exit(3)
if tree and os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
    time.sleep(1000)

def say(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")) + "\n")
    sys.stdout.flush()

def note(what):
    if "JOURNAL" in os.environ:
        with open(os.environ["JOURNAL"], "a") as journal:
            journal.write(what + "\n")

def text(words):
    return {"content": [{"type": "text", "text": words}]}

def steps(id, params, count):
    token = params.get("_meta", {}).get("progressToken")
    for step in range(1, count + 1):
        say(method="notifications/progress", params={"progressToken": token, "progress": step})

def flood(fd, line, count):
    if os.fork() == 0:
        for _ in range(count):
            os.write(fd, line)
        os._exit(0)

def call(id, params):
    name, it = params["name"], params.get("arguments", {})
    note("call")
    if name == "echo":
        say(id=id, result=text(it.get("text", "") + "x" * it.get("pad", 0)))
    elif name == "exit":
        os._exit(1)
    elif name == "steps":
        steps(id, params, it["count"])
        say(id=id, result=text("done"))
    elif name == "endless":
        steps(id, params, it["count"])
    elif name == "stderr":
        say(id=id, result=text("flooding"))
        flood(2, b"no news is good news, and this is no news at all............\n" * 1024, it["bytes"] >> 16)
    elif name == "stdout":
        for _ in range(it["bytes"] >> 16):
            os.write(1, b"x" * 65536)
        os.write(1, b"\n")
        say(id=id, result=text("still here"))

for line in sys.stdin:
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params") or {}
    if bad == "silent":
        continue
    if method == "initialize":
        say(id=id, result={"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "it", "version": "1"}})
    elif method == "tools/list":
        names = ["echo", "exit", "steps", "endless", "stderr", "stdout"]
        say(id=id, result={"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]})
    elif method == "tools/call":
        call(id, params)
    elif method == "notifications/cancelled":
        note("cancelled")
    elif id is not None:
        say(id=id, error={"code": -32601, "message": "what?"})
