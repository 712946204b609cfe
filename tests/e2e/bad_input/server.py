# A server on stdio that answers as its argument says, well or badly.
import json
import os
import sys
import time

behaviour = sys.argv[1]


def say(text):
    os.write(1, text.encode() + b"\n")


def answer(id, result):
    say(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}))


def call(id, params):
    echo = {"content": [{"type": "text", "text": params.get("arguments", {}).get("message", "")}]}
    if params.get("name") != "echo":
        say(json.dumps({"jsonrpc": "2.0", "id": id, "error": {"code": -32602, "message": "no such tool"}}))
        return
    if behaviour == "noise":
        say("starting up ...")
        say("{not json")
        say("[]")
        os.write(1, b"\xff\xfe\n")
    elif behaviour == "gigabyte":
        os.write(1, b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"' % id)
        for _ in range(1000):
            os.write(1, b"x" * 1000000)
        say('"}]}}')
        return
    elif behaviour == "gigabyte without an id":
        for _ in range(1000):
            os.write(1, b"x" * 1000000)
        say("")
    elif behaviour == "unknown ids":
        for other in [id + 1000, "x", None, 1.5]:
            answer(other, {})
    elif behaviour == "answers twice":
        answer(id, echo)
    elif behaviour == "wrong jsonrpc":
        say(json.dumps({"jsonrpc": "1.0", "id": id, "result": echo}))
        return
    elif behaviour == "duplicate keys":
        say('{"jsonrpc":"2.0","id":%d,"result":{"content":[],"content":[]}}' % id)
        return
    elif behaviour == "invalid utf-8":
        os.write(1, b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"\xff"}]}}\n' % id)
        return
    elif behaviour == "both result and error":
        say(json.dumps({"jsonrpc": "2.0", "id": id, "result": echo, "error": {"code": 1, "message": "x"}}))
        return
    elif behaviour == "both method and result":
        say(json.dumps({"jsonrpc": "2.0", "id": id, "method": "ping", "result": echo}))
        return
    elif behaviour == "neither result nor error":
        say(json.dumps({"jsonrpc": "2.0", "id": id, "content": echo}))
        return
    elif behaviour == "complains":
        for _ in range(100):
            os.write(2, (b"x" * 99 + b"\n") * 10000)
    elif behaviour == "complains without an end":
        for _ in range(100):
            os.write(2, b"x" * 1000000)
    elif behaviour == "exits":
        os._exit(3)
    elif behaviour == "closes its output":
        os.close(1)
        time.sleep(60)
    elif behaviour == "says nothing":
        return
    answer(id, echo)


def initialize(id, params):
    if behaviour == "never starts":
        return
    version = "1999-01-01" if behaviour == "wrong version" else params["protocolVersion"]
    information = {"name": "small", "version": "1"}
    answer(id, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": information})


for line in sys.stdin:
    message = json.loads(line)
    method, id = message.get("method"), message.get("id")
    if id is None:
        continue
    if method == "initialize":
        initialize(id, message["params"])
    elif method == "tools/list":
        answer(id, {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]})
    elif method == "tools/call":
        call(id, message["params"])
    elif method == "ping":
        answer(id, {})
    else:
        say(json.dumps({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no such method"}}))
